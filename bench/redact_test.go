package bench

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestSecretsDoNotStandInReports(t *testing.T) {
	c := Config{
		Targets: []string{"ws://me:hunter2@host/path?room=5&access_token=hunter2"},
		Connect: Connect{
			Headers: []string{"Authorization: Bearer hunter2", "Cookie: a=hunter2", "X-Api-Key: hunter2", "Accept-Language: de"},
			Query:   []string{"room=7", "token=hunter2"},
		},
		Fanout: FanoutConfig{PublishTo: "ws://me:hunter2@host/", Post: "http://host/?key=hunter2"},
	}
	before, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(c.redacted())
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	if strings.Contains(text, "hunter2") {
		t.Errorf("a secret is left in %s", text)
	}
	for _, want := range []string{"room=5", "room=7", "Accept-Language: de", "Authorization: xxxxx", "me:xxxxx@host", "access_token=xxxxx"} {
		if !strings.Contains(text, want) && !strings.Contains(text, strings.ReplaceAll(want, "&", `\\u0026`)) {
			t.Errorf("%s is not in %s", want, text)
		}
	}
	if after, _ := json.Marshal(c); string(after) != string(before) {
		t.Error("the configuration itself was changed")
	}
}
