package server

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// way is how an attack test reaches its server.
type way struct {
	name       string
	secure     bool // over TLS
	compressed bool // with permessage-deflate, and context takeover where the policy has it
}

// ways are all but the plain one.
var ways = []way{{"tls", true, false}, {"deflate", false, true}, {"both", true, true}}

// attacks runs a test as modes does, and then each other way, with the handlers inline and on the pool. TLS and compression stand over
// the engines, which make no difference to them; and where there are both, one kind of handlers has to do.
func attacks(t *testing.T, f func(t *testing.T, c Config)) {
	modes(t, f)
	for _, w := range ways {
		if !w.secure || !w.compressed {
			w.run(t, "/inline", Config{Inline: true}, f)
		}
		w.run(t, "/pool", Config{}, f)
	}
}

// attacksOnPool is attacks for tests of mailboxes, which inline handlers have none of.
func attacksOnPool(t *testing.T, f func(t *testing.T, c Config)) {
	engines(t, f)
	eachOther(t, f)
}

// eachWay runs a test whose server has settings of its own: plain, and each other way.
func eachWay(t *testing.T, f func(t *testing.T, c Config)) {
	t.Run("plain", func(t *testing.T) { f(t, Config{}) })
	eachOther(t, f)
}

func eachOther(t *testing.T, f func(t *testing.T, c Config)) {
	for _, w := range ways {
		w.run(t, "", Config{}, f)
	}
}

// run runs a test this way, or skips it with the reason.
func (w way) run(t *testing.T, how string, c Config, f func(t *testing.T, c Config)) {
	t.Run(w.name+how, func(t *testing.T) {
		test, _, _ := strings.Cut(t.Name(), "/")
		if why := w.exempts(test); why != "" {
			t.Skip(why)
		}
		if w.secure {
			c.TLS = serverTLS()
		}
		if w.compressed {
			c.Compression, c.CompressFrom = CompressionDedicated, 1
		}
		f(t, c)
	})
}

// fewer is how many messages of n will do: under the race detector, whose sync.Pool forgets, compressing one takes 5 to 30 ms.
func fewer(c Config, n int) int {
	if c.Compression != CompressionOff {
		return n / 20
	}
	return n
}

// exempts is why a test does not run this way, "" if it does.
func (w way) exempts(test string) string {
	for _, e := range exempt {
		if (e.plainOnly || w.compressed) && slices.Contains(e.tests, test) {
			return e.why
		}
	}
	return ""
}

// exempt is which attack tests do not run compressed, or only plain, and why. All others run each way.
var exempt = []struct {
	plainOnly bool
	why       string
	tests     []string
}{
	{true, "it is about a port without TLS", []string{"TestTLSOnThePlainPortIsToldSo"}},
	{true, "no connection is made, or nothing goes through it", []string{
		"TestAConnectionIsSmall", "TestOnlyMessagesCanBeSent", "TestAServerThatNeverListenedStopsAtOnce", "TestBroadcastToNobody",
		"TestConfigSaysWhichFieldIsWrong", "TestReasonsHaveDistinctNames", "TestALogLineOfAKindComesOnceASecond", "TestTheHeartbeatIsSpread",
	}},
	{true, "it is a part of another test", []string{"TestServerOfFewDescriptors"}},
	{false, "nothing is compressed before the handshake is over", []string{
		"TestGarbageInsteadOfHTTPGetsAnAnswer", "TestSixtyFourKiBOfHeadersGet431", "TestAFloodOfGarbageLeavesNothing",
		"TestTenThousandThatConnectAndVanish", "TestTheServerRunsOutOfDescriptorsAndRecovers",
		"TestRefusedConnectionsThatLingerTakeNoPlaceOfMaxConns", "TestRefusedConnectionsOverTheirBoundAreCutOff",
	}},
	{false, "it is about how many entries a turn writes, whatever is in them", []string{"TestAQueueOfMoreThanATurnsWritesIsWrittenInTheNextOnes"}},
	{false, "control frames are not compressed", []string{
		"TestAnIdlePeerGetsAPingAndStaysWhenItAnswers", "TestAPeerThatDoesNotAnswerThePingIsGone", "TestShutdownForcesAtTheContextsEnd",
		"TestShutdownSpreadsItsGoodbyes", "TestShutdownWaitsForHandlers", "TestALaterShutdownWaitsForTheFirstOneUntilItsOwnContextEnds",
		"TestTheGraceBeginsWithThePingHoweverLateThatIs", "TestACodeThatMustNotBeSentIs1011OnBothSides",
	}},
	{false, "what is not complete is not inflated: TestAMessageThatDoesNotEndIsATimeout has it compressed, in less time",
		[]string{"TestPeersThatSendAByteASecondHurtNobody"}},
	{false, "its messages must have exactly 100 bytes, or one, on the wire", []string{
		"TestMessagesBehindAPartWrittenOneAreDropped", "TestMessagesBehindAPartWrittenOneAreReplaced",
		"TestMessagesBehindAPartWrittenOneAreDiscardedByACloseForSlowness", "TestAMessageLargerThanTheBoundMayGoPastTheQueue",
		"TestTheBoundHoldsAfterAWritePastTheQueue", "TestAnOverflowDuringAWritePastTheQueueMeetsThePolicy",
		"TestWhatTheKernelRefusedMayBeDroppedUnlessTheEngineHoldsIt", "TestTheNewestMessageIsDroppedOnlyIfTheEngineHoldsAllOthers",
		"TestTheNewestMessageHasRoomWhileTheOldestAreWritten",
		"TestWhatTheKernelRefusedMayBeReplacedUnlessTheEngineHoldsIt", "TestPreparedMessagesAreSharedAndPipelinedOnesPacked",
		"TestWhatGoesPastTheQueueBreaksTheSilence",
	}},
}

// attackFiles is where the attack tests are.
var attackFiles = []string{
	"broadcast", "broken", "close", "drain", "exhaustion", "heartbeat", "hostile_garbage", "hostile_gone", "hostile_slow", "hostile_unread",
	"outbound", "partial", "pending", "refused", "silence", "slow", "subscribe", "timeout", "window", "writes",
}

// TestEveryAttackGoesEveryWay, or says in exempt why not.
func TestEveryAttackGoesEveryWay(t *testing.T) {
	runs := map[string]bool{} // by name of the test: it goes the other ways
	for _, name := range attackFiles {
		file, err := parser.ParseFile(token.NewFileSet(), name+"_test.go", nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") {
				runs[f.Name.Name] = callsOneOf(f, "attacks", "attacksOnPool", "eachWay", "partly")
			}
		}
	}
	for _, e := range exempt {
		for _, test := range e.tests {
			if goes, ok := runs[test]; !ok {
				t.Errorf("exempt has %s, which is in none of the files", test)
			} else if e.plainOnly {
				runs[test] = true
			} else if !goes {
				t.Errorf("%s says that it does not run compressed, but runs only plain", test)
			}
		}
	}
	for test, goes := range runs {
		if !goes {
			t.Errorf("%s runs only plain, and exempt does not say why", test)
		}
	}
}

// callsOneOf says whether f calls one of these functions.
func callsOneOf(f *ast.FuncDecl, names ...string) (found bool) {
	ast.Inspect(f, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if name, ok := call.Fun.(*ast.Ident); ok && slices.Contains(names, name.Name) {
				found = true
			}
		}
		return true
	})
	return found
}
