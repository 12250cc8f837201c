package pool_test

import (
	"fmt"

	"github.com/roostws/roost/pool"
)

// conn is a connection that an event loop reads.
type conn struct {
	name  string
	inbox pool.Mailbox
}

// batch is what one read brought.
type batch struct {
	pool.Link
	conn *conn
	data *pool.Buffer
}

func (b *batch) Run() {
	fmt.Printf("%s: %s\n", b.conn.name, b.data.Bytes())
	b.data.Release()
}

// Resume tells the loop of b.conn to read on.
func (b *batch) Resume() {}

// The tasks of one mailbox run in the order in which they were submitted.
func Example() {
	p, err := pool.New(pool.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	c := &conn{name: "conn 1"}
	for _, word := range []string{"one", "two", "three"} {
		data := pool.Get(len(word))
		copy(data.Bytes(), word)
		if full := p.Submit(&c.inbox, &batch{conn: c, data: data}, len(word)); full {
			break // stop reading c until a batch's Resume is called
		}
	}
	p.Close()
	// Output:
	// conn 1: one
	// conn 1: two
	// conn 1: three
}

// A panic is told to Panicked, and the pool goes on.
func ExampleConfig_panicked() {
	p, err := pool.New(pool.Config{
		Panicked: func(t pool.Task, v any, stack []byte) {
			fmt.Printf("%s: close with 1011: %v\n", t.(*job).conn, v)
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	var box pool.Mailbox
	p.Submit(&box, &job{conn: "conn 1", do: func() { panic("a bug") }}, 0)
	p.Submit(&box, &job{conn: "conn 1", do: func() { fmt.Println("next") }}, 0)
	p.Close()
	fmt.Println(p.Stats().Panics, "panic")
	// Output:
	// conn 1: close with 1011: a bug
	// next
	// 1 panic
}

type job struct {
	pool.Link
	conn string
	do   func()
}

func (j *job) Run()  { j.do() }
func (*job) Resume() {}

// A mailbox is full when what waits in it reaches the bound, and asks to be fed
// again when it is below half.
func ExamplePool_Submit() {
	p, err := pool.New(pool.Config{MailboxBytes: 100})
	if err != nil {
		fmt.Println(err)
		return
	}
	begun, finish := make(chan struct{}), make(chan struct{})
	var box pool.Mailbox
	p.Submit(&box, &job{do: func() { close(begun); <-finish }}, 0)
	<-begun // what runs is not counted any more
	for range 3 {
		fmt.Println("full:", p.Submit(&box, &chunk{}, 40))
	}
	close(finish)
	p.Close()
	// Output:
	// full: false
	// full: false
	// full: true
	// room again
}

type chunk struct{ pool.Link }

func (*chunk) Run()    {}
func (*chunk) Resume() { fmt.Println("room again") }

// Buffers have the length that was asked for, and the capacity of their class.
func ExampleGet() {
	b := pool.Get(100)
	fmt.Println(len(b.Bytes()), cap(b.Bytes()))
	b.Release()
	// Output: 100 128
}
