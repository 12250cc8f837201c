package main

import "context"

type feedCommand struct{}

func (f *feedCommand) Run(ctx context.Context) error { return nil }
