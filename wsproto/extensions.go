package wsproto

import "bytes"

// param is a parameter of an extension. value is nil when it has none, and
// without the quotes when it has some.
type param struct{ name, value []byte }

// cutExtension cuts the first element off s, a value of
// Sec-WebSocket-Extensions (RFC 6455, section 9.1): a list of a token and
// parameters, whose values are tokens, quoted or not. each, which may be nil,
// gets the parameters in order. At the end of the list name is nil; ok is
// false when the element is not of this form.
func cutExtension(s []byte, each func(param)) (name, rest []byte, ok bool) {
	s = bytes.TrimLeft(s, " \t,")
	if len(s) == 0 {
		return nil, nil, true
	}
	if name, s = cutToken(s); s == nil {
		return nil, nil, false
	}
	for len(s) > 0 && s[0] == ';' {
		var p param
		if p.name, s = cutToken(bytes.TrimLeft(s[1:], " \t")); s == nil {
			return nil, nil, false
		}
		if len(s) > 0 && s[0] == '=' {
			if p.value, s = cutValue(bytes.TrimLeft(s[1:], " \t")); s == nil {
				return nil, nil, false
			}
		}
		if each != nil {
			each(p)
		}
	}
	return name, s, len(s) == 0 || s[0] == ','
}

// cutValue cuts a token, quoted or not, and the space behind it off s. rest is
// nil when there is none. A value in quotes must be a token without them (RFC
// 6455, section 9.1), so an escape in it would be for nothing, and is refused.
func cutValue(s []byte) (value, rest []byte) {
	if len(s) == 0 || s[0] != '"' {
		return cutToken(s)
	}
	end := bytes.IndexByte(s[1:], '"') + 1
	if end == 0 || !validToken(s[1:end]) {
		return nil, nil
	}
	return s[1:end], afterSpace(s[end+1:])
}

// cutToken cuts the token and the space behind it off s. rest is nil when
// there is none.
func cutToken(s []byte) (token, rest []byte) {
	n := 0
	for n < len(s) && classes[s[n]]&isToken != 0 {
		n++
	}
	if n == 0 {
		return nil, nil
	}
	return s[:n], afterSpace(s[n:])
}

// afterSpace is bytes.TrimLeft, but never nil.
func afterSpace(s []byte) []byte {
	for len(s) > 0 && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	return s
}

// eachExtension calls yield with the elements of all extension headers, and
// with each of their parameters before that. It reports whether all of them
// are well-formed, and stops when yield says so.
func (f *fields) eachExtension(each func(param), yield func(name []byte) bool) bool {
	for i := f.next(extensionsField, -1); i >= 0; i = f.next(extensionsField, i) {
		rest := f.bytes(f.lines[i].value)
		for {
			var name []byte
			var ok bool
			if name, rest, ok = cutExtension(rest, each); !ok {
				return false
			}
			if name == nil {
				break
			}
			if !yield(name) {
				return true
			}
		}
	}
	return true
}
