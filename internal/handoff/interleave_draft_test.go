package handoff_test

import (
	"context"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"llave/bot"
	"llave/internal/handoff"
)

// begun is whose draft it is, and which: to the person, or for colleagues.
type begun struct {
	ref, who string
	note     bool
}

// drafting are the operations that keep a draft.
var drafting = []string{"drafts", "drafts note"}

// drafts are what agents have begun to write in the case of these operations.
func (p *play) drafts(ds []*operation) map[begun]string {
	all := map[begun]string{}
	for _, d := range ds {
		if d.ref == "" {
			continue
		}
		for _, who := range []string{"ana", "luis", "sup"} {
			kept, err := p.desks[0].Draft(context.Background(), d.ref, who)
			if err != nil {
				p.fatal("draft: %v", err)
			}
			all[begun{d.ref, who, false}], all[begun{d.ref, who, true}] = kept.Text, kept.Note
		}
	}
	return all
}

// mayDraft says whether an agent's words are kept where nothing else happens: theirs is the case or was just now, or they had begun; and a
// supervisor may write a note.
func (p *play) mayDraft(d *operation, before map[begun]string) bool {
	c, err := p.conv(p.chat)
	if err != nil {
		p.fatal("load: %v", err)
	}
	h := c.Handoff
	if h == nil || h.Ref != d.ref || !h.Open() {
		return false
	}
	return h.Agent == d.who || h.Before == d.who || before[begun{d.ref, d.who, false}]+before[begun{d.ref, d.who, true}] != "" ||
		d.what == "drafts note" && d.who == "sup"
}

// judgeDrafts is what became of drafts when operations were done, one alone or several at once. What is not said, closed or written over
// stands as it did; nobody else's deed changes it; what was said is no draft any more, unless it was written again meanwhile.
func (p *play) judgeDrafts(ds []*operation, before map[begun]string, may bool) {
	for of, now := range p.drafts(ds) {
		was, could := before[of], []string{}
		gone, kept := false, false
		for _, d := range ds {
			if d.who != of.who || d.ref != of.ref || !d.done(len(ds) > 1) {
				continue
			}
			switch {
			case slices.Contains(drafting, d.what) && (d.what == "drafts note") == of.note:
				could, kept = append(could, d.text), true
			case d.what == "resolve":
				gone = true
			case (d.what == "say" || d.what == "say later") && !of.note, d.what == "note" && of.note:
				gone = gone || d.text == was || slices.ContainsFunc(ds, func(o *operation) bool { return slices.Contains(drafting, o.what) && o.text == d.text })
			}
		}
		switch {
		case len(ds) > 1: // in any order
			could = append(could, was)
			if gone || kept { // a draft that came when the case was over goes again
				could = append(could, "")
			}
		case kept && !may, !kept && !gone:
			could = []string{was}
		case gone:
			could = []string{""}
		}
		if !slices.Contains(could, now) {
			p.fatal("%s has begun %q in %s, before %q, could be %q after %s", of.who, now, of.ref, was, could, ds[0].what)
		}
	}
}

// judgeUnsaid is that what was begun and not sent is nowhere.
func (p *play) judgeUnsaid(kept []bot.Line, said []bot.Reply) {
	for _, d := range p.order {
		if !slices.Contains(drafting, d.what) || slices.ContainsFunc(p.order, func(o *operation) bool { return o.text == d.text && !slices.Contains(drafting, o.what) }) {
			continue
		}
		if slices.ContainsFunc(kept, func(l bot.Line) bool { return strings.Contains(l.Text, d.text) }) || slices.ContainsFunc(said, func(r bot.Reply) bool { return strings.Contains(r.Text, d.text) }) {
			p.fatal("%s: %q was never sent, and stands somewhere", d.who, d.text)
		}
	}
}

// keepDraft keeps what an agent has begun to write.
func keepDraft(ctx context.Context, desk *handoff.Desk, d *operation) error {
	_, err := desk.KeepDraft(ctx, actor(d.who), d.ref, d.text, d.what == "drafts note")
	return err
}

// orBegun is what an agent says: at times what they had begun to write.
func (p *play) orBegun(d *operation) string {
	if d.what != "say" && d.what != "note" && d.what != "say later" || rapid.IntRange(0, 1).Draw(p.rt, "begun") == 0 {
		return d.text
	}
	kept := p.drafts([]*operation{d})[begun{d.ref, d.who, d.what == "note"}]
	if kept == "" || slices.ContainsFunc(p.order, func(o *operation) bool { return o.text == kept && !slices.Contains(drafting, o.what) }) {
		return d.text
	}
	return kept
}

// done says whether it was not refused when it was done last, or at any time.
func (d *operation) done(ever bool) bool {
	if ever {
		return slices.Contains(d.errs, nil)
	}
	return len(d.errs) > 0 && d.errs[len(d.errs)-1] == nil
}
