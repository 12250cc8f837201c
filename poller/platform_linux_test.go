package poller

const (
	noSignal         = true // MSG_NOSIGNAL keeps SIGPIPE from being raised at all
	canAddConnecting = true
)
