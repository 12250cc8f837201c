package wsproto

import "github.com/gobwas/ws"

func HeaderSize(n int) int                                                         { panic("skeleton") }
func AppendHeader(dst []byte, h ws.Header) []byte                                  { panic("skeleton") }
func AppendFrame(dst []byte, op ws.OpCode, payload []byte) []byte                  { panic("skeleton") }
func AppendMaskedFrame(dst []byte, op ws.OpCode, payload []byte, m [4]byte) []byte { panic("skeleton") }
func AppendClose(dst []byte, code ws.StatusCode, text string) []byte               { panic("skeleton") }
func ParseClose(payload []byte) (code ws.StatusCode, text string)                  { panic("skeleton") }
func Mask(b []byte, key [4]byte, pos int)                                          { panic("skeleton") }

type Prepared struct{ op ws.OpCode }

func Prepare(op ws.OpCode, payload []byte) *Prepared { panic("skeleton") }
func (p *Prepared) Op() ws.OpCode                    { return p.op }
func (p *Prepared) Frame() []byte                    { panic("skeleton") }
func (p *Prepared) Payload() []byte                  { panic("skeleton") }
func (p *Prepared) Len() int                         { panic("skeleton") }
