// Command chi shows a chi application whose connections roost takes over.
package main

import "github.com/go-chi/chi/v5"

func main() { _ = chi.NewRouter() }
