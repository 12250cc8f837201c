package server

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// rarely logs what can happen at any rate at most once a second of each kind, so that an attack does not fill the disk.
type rarely struct {
	logger *slog.Logger
	mu     sync.Mutex
	last   map[string]time.Time
	missed map[string]int
}

// warn logs a warning of a kind, with the number of those of that kind that were not logged since the last one.
func (r *rarely) warn(kind, msg string, args ...any) { r.log(slog.LevelWarn, kind, msg, args) }

// info is warn for what only its peer need know.
func (r *rarely) info(kind, msg string, args ...any) { r.log(slog.LevelInfo, kind, msg, args) }

// error is warn for what is a bug.
func (r *rarely) error(kind, msg string, args ...any) { r.log(slog.LevelError, kind, msg, args) }

func (r *rarely) log(level slog.Level, kind, msg string, args []any) {
	now := time.Now()
	r.mu.Lock()
	if last, ok := r.last[kind]; ok && now.Sub(last) < time.Second {
		r.missed[kind]++
		r.mu.Unlock()
		return
	}
	if r.last == nil {
		r.last, r.missed = map[string]time.Time{}, map[string]int{}
	}
	missed := r.missed[kind]
	r.last[kind], r.missed[kind] = now, 0
	r.mu.Unlock()
	if missed > 0 {
		args = append(args, "not_logged", missed)
	}
	r.logger.Log(context.Background(), level, msg, args...)
}
