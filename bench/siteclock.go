package bench

import (
	"context"
	"time"
)

// clockRounds is how often another machine's clock is read.
const clockRounds = 8

// compareClocks returns how far our clock is ahead of another one, which ask reads, and
// by how much that may be wrong. The answer was made at some time between the question
// and its arrival: in the middle, give or take a half of the round trip (Mills, NTP, RFC
// 5905). The shortest round trip tells most.
func compareClocks(ctx context.Context, ours func() int64, ask func(context.Context) (int64, error)) (ahead, bound time.Duration, err error) {
	for round := range clockRounds {
		asked := ours()
		theirs, err := ask(ctx)
		if err != nil {
			return 0, 0, err
		}
		trip := ours() - asked
		if half := time.Duration(trip+1) / 2; round == 0 || half < bound {
			ahead, bound = time.Duration(asked+trip/2-theirs), half
		}
	}
	return ahead, bound, nil
}
