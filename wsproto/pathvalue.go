package wsproto

// pathValue is what a wildcard of a path's pattern stands for.
type pathValue struct{ name, value string }

// PathValue returns what the wildcard called name stands for in the path,
// percent-decoded, or "": http.Request has the same method.
func (r *Request) PathValue(name string) string {
	for _, v := range r.values {
		if v.name == name {
			return v.value
		}
	}
	return ""
}

// SetPathValue sets what PathValue returns for name: for who has matched the
// path. Parse forgets it. No other goroutine may use the Request meanwhile.
func (r *Request) SetPathValue(name, value string) {
	for i := range r.values {
		if r.values[i].name == name {
			r.values[i].value = value
			return
		}
	}
	r.values = append(r.values, pathValue{name, value})
}
