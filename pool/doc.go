// Package pool runs work off the event loops: ordered mailboxes on a bounded
// number of goroutines, and the buffers that the work comes in.
//
// A [Mailbox] belongs to one connection. An event loop submits what the
// connection sent as a [Task]; the pool runs a mailbox's tasks in order, one at
// a time, and any number of mailboxes side by side, up to [Config.Workers]. An
// idle mailbox holds no goroutine and no memory beyond its 16 bytes.
//
// # Back-pressure
//
// Submit never blocks and never fails. When all workers are busy, mailboxes wait
// in a ready queue, each at most once. When the tasks that wait in one mailbox
// reach [Config.MailboxBytes], Submit says that it is full; the loop stops
// reading that connection, until a task's Resume tells that the mailbox is below
// half.
//
// # Fairness
//
// A worker takes the mailbox that waited longest, runs what it holds at that
// moment, and puts it at the end of the queue if more came meanwhile. So a busy
// mailbox costs the others one mailbox's worth of waiting, and nothing more.
//
// # Panics
//
// A task that panics is counted and given to [Config.Panicked]; its mailbox goes
// on with the next task, and no other is touched.
//
// # Goroutines
//
// They come from ants, which keeps the goroutine of a worker that ended for a
// second, so that the next burst need not start one.
package pool
