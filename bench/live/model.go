package live

import (
	"fmt"

	tea "charm.land/bubbletea/v2"

	"github.com/roostws/roost/bench/report"
)

// model is the view of a run. Its messages are report.Progress, keys and sizes.
type model struct {
	state         state
	keys          bool // keys can be read
	interrupts    int
	interrupt     func()
	abort         func()
	width, height int
	drawn         string
	failed        error // drawing panicked; the program ends
}

// newModel makes the view before there is an update; keys tells whether any will come.
func newModel(o Options, keys bool) model {
	m := model{state: newState(), keys: keys, interrupt: o.Interrupt, abort: o.Abort, width: 80, height: 24}
	if m.interrupt == nil {
		m.interrupt = func() {}
	}
	if m.abort == nil {
		m.abort = func() {}
	}
	m.drawn = m.text()
	return m
}

// Init does nothing: whatever is drawn comes from outside.
func (m model) Init() tea.Cmd { return nil }

// Update takes one message in, and draws. A panic ends the program in good order,
// because bubbletea's own handling of one leaves its reader of keys behind.
func (m model) Update(msg tea.Msg) (next tea.Model, then tea.Cmd) {
	defer func() {
		if r := recover(); r != nil {
			m.failed = fmt.Errorf("cannot draw the live view: %v", r)
			next, then = m, tea.Quit
		}
	}()
	switch msg := msg.(type) {
	case report.Progress:
		m.state.take(msg)
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.KeyPressMsg:
		m.press(msg.String())
	default:
		return m, nil
	}
	m.drawn = m.text()
	return m, nil
}

// press hands on what asks for an end. A held q must not end a run at once.
func (m *model) press(key string) {
	switch {
	case m.interrupts == 0 && (key == "q" || key == "ctrl+c"):
		m.interrupts++
		m.interrupt()
	case key == "ctrl+c":
		m.interrupts++
		m.abort()
	}
}

// View is on a screen of its own, so that the terminal is left as it was.
func (m model) View() tea.View {
	v := tea.NewView(m.drawn)
	v.AltScreen = true
	v.DisableBracketedPasteMode = true
	return v
}
