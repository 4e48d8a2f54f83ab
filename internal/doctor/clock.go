package doctor

import (
	"context"
	"net/http"
	"time"

	"llave/bot/wire"
)

// How far a clock may be off. What expires goes by the store's clock and is right all the same; certificates, signatures and the
// times of the log are not.
const (
	offLittle = 5 * time.Second
	offMuch   = 2 * time.Minute
)

// clock are checks of this machine's clock against those of the platforms.
func (d *doctor) clock(s *section) {
	c := d.Config
	if c.TelegramToken != "" {
		s.check("telegram", func(ctx context.Context) result { return d.clockOf(ctx, c.TelegramAPIURL) })
	}
	if c.WhatsApp.On() {
		s.check("whatsapp", func(ctx context.Context) result { return d.clockOf(ctx, c.WhatsApp.APIURL) })
	}
}

// clockOf compares with the date that a server puts on its answer, whatever that is.
func (d *doctor) clockOf(ctx context.Context, url string) result {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, url, nil)
	if err != nil {
		return warn("mend the address", "no clock to compare with")
	}
	client := wire.NewClient()
	defer client.CloseIdleConnections()
	sent := d.Now()
	res, err := client.Do(req)
	if err != nil {
		return warn("see the section of that channel", "no clock to compare with: it cannot be reached")
	}
	_ = res.Body.Close()
	trip := d.Now().Sub(sent)
	there, err := http.ParseTime(res.Header.Get("Date"))
	if err != nil {
		return warn("see the section of that channel", "no clock to compare with: the answer has no date")
	}
	there = there.Add(time.Second / 2) // seconds are cut off
	return clockResult(there.Sub(sent.Add(trip/2)), trip/2+time.Second)
}

// clockResult judges a clock that is ahead by so much, give or take [unsure].
func clockResult(ahead, unsure time.Duration) result {
	off := max(0, ahead.Abs()-unsure)
	said := ahead.Abs().Round(100 * time.Millisecond)
	const do = "set this machine's clock by NTP (timedatectl set-ntp true)"
	switch {
	case off > offMuch:
		return bad(do, "the clocks are %v apart: certificates and signatures fail", said)
	case off > offLittle:
		return warn(do, "the clocks are %v apart", said)
	}
	return good("they agree")
}
