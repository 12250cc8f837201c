package auth_test

import (
	"fmt"

	"github.com/roostws/roost/auth"
	"github.com/roostws/roost/wsproto"
)

func Example() {
	keys, err := auth.NewKeySet(map[string]any{"": []byte("a secret of 32 bytes, or of more")})
	if err != nil {
		fmt.Println(err)
		return
	}
	verifier, err := auth.New(auth.Config{
		Algorithms: []string{"HS256"},
		Keys:       keys,
		Sources:    []auth.Source{{Kind: auth.Header}, {Kind: auth.ProtocolPair, Name: "access_token"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	var r wsproto.Request
	if err := r.Parse([]byte("GET /ws HTTP/1.1\r\nHost: example.com\r\n\r\n"), wsproto.Limits{}); err != nil {
		fmt.Println(err)
		return
	}
	_, err = verifier.Handshake(&r)
	fmt.Println(err)
	// Output: wsproto: refused with 401: no token
}
