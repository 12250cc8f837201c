package bench

import (
	"net/url"
	"slices"
	"strings"
)

// redacted returns c without what must not stand in a report that others read: the
// values of headers and query parameters that look like secrets, and passwords in URLs.
// What messages say is not looked at.
func (c Config) redacted() Config {
	c.Targets = slices.Clone(c.Targets)
	for i, t := range c.Targets {
		c.Targets[i] = redactURL(t)
	}
	c.Fanout.PublishTo = redactURL(c.Fanout.PublishTo)
	c.Fanout.Post = redactURL(c.Fanout.Post)
	c.Connect.Headers = redactPairs(c.Connect.Headers, ":", ": ")
	c.Connect.Query = redactPairs(c.Connect.Query, "=", "=")
	return c
}

const redaction = "xxxxx" // as url.URL.Redacted has it

func redactURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || text == "" {
		return text
	}
	if u.RawQuery != "" {
		u.RawQuery = strings.Join(redactPairs(strings.Split(u.RawQuery, "&"), "=", "="), "&")
	}
	return u.Redacted()
}

func redactPairs(pairs []string, separator, between string) []string {
	pairs = slices.Clone(pairs)
	for i, pair := range pairs {
		if name, _, ok := strings.Cut(pair, separator); ok && secret(name) {
			pairs[i] = name + between + redaction
		}
	}
	return pairs
}

// secret tells whether a header or parameter of that name is one, as far as a name tells.
func secret(name string) bool {
	name = strings.ToLower(name)
	for _, part := range []string{"auth", "cookie", "token", "secret", "password", "passwd", "key", "sig", "session", "jwt", "credential"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}
