package wsproto

type Decoder struct{ p *partial }

type partial struct{}

func (c *Codec) Next(d *Decoder, b []byte) (m Message, n int, err error) { panic("skeleton") }

func (d *Decoder) Partial() bool { return d.p != nil }

func (d *Decoder) Release() { d.p = nil }
