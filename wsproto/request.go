package wsproto

import "iter"

const (
	DefaultMaxLine    = 4 << 10
	DefaultMaxHeaders = 64
	MaxHead           = 1<<16 - 1
)

type HeaderField struct{ Name, Value string }

type Limits struct {
	Line    int
	Headers int
}

type Request struct{}

func HeadEnd(b []byte, from int) int { panic("skeleton") }
func CheckPrefix(b []byte) error     { panic("skeleton") }

func (r *Request) Parse(head []byte, l Limits) error   { panic("skeleton") }
func (r *Request) Method() string                      { panic("skeleton") }
func (r *Request) Target() string                      { panic("skeleton") }
func (r *Request) Path() string                        { panic("skeleton") }
func (r *Request) RawQuery() string                    { panic("skeleton") }
func (r *Request) Host() string                        { panic("skeleton") }
func (r *Request) Origin() string                      { panic("skeleton") }
func (r *Request) Header(name string) string           { panic("skeleton") }
func (r *Request) Values(name string) iter.Seq[string] { panic("skeleton") }
func (r *Request) Headers() iter.Seq2[string, string]  { panic("skeleton") }
func (r *Request) Subprotocols() iter.Seq[string]      { panic("skeleton") }
func (r *Request) IsUpgrade() bool                     { panic("skeleton") }
func (r *Request) CheckUpgrade() error                 { panic("skeleton") }
func (r *Request) SameOrigin() bool                    { panic("skeleton") }
func (r *Request) Clone() *Request                     { panic("skeleton") }

type Accept struct {
	Subprotocol string
	Header      []HeaderField
}

func AppendAccept(dst []byte, r *Request, a Accept) ([]byte, error) { panic("skeleton") }

type Refusal struct {
	Status int
	Reason string
	Header []HeaderField
	Body   string
}

func (r *Refusal) Error() string { return r.Reason }

func AppendRefusal(dst []byte, r *Refusal) []byte { panic("skeleton") }
