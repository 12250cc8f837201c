package live

import (
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
}

func newModel(o Options) model {
	m := model{state: newState(), interrupt: o.Interrupt, abort: o.Abort, width: 80, height: 24}
	if m.interrupt == nil {
		m.interrupt = func() {}
	}
	if m.abort == nil {
		m.abort = func() {}
	}
	return m
}

// Init does nothing: whatever is drawn comes from outside.
func (m model) Init() tea.Cmd { return nil }

// Update takes one message in.
func (m model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case report.Progress:
		m.state.take(msg)
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.KeyPressMsg:
		m.press(msg.String())
	}
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

// View draws on a screen of its own, so that the terminal is left as it was.
func (m model) View() tea.View {
	v := tea.NewView(m.text())
	v.AltScreen = true
	return v
}
