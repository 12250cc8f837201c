// Million holds a million WebSocket connections on a machine that would not let one
// process have so many descriptors: it boots a virtual machine whose kernel has limits
// of its own, and runs a roost server and its load in there. The same binary is the
// command outside and the first process (init) inside.
package main
