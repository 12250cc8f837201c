// Package doctor tells whether a machine can hold a number of WebSocket
// connections, and what to change where it cannot.
//
// [Examine] looks at everything and makes the report of `roost doctor`. [Fits]
// is the short question a command asks before it opens that many sockets.
// Linux is looked at in full; elsewhere only the limit of open files is.
package doctor
