package e2e

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/serviceworker"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	"llave/internal/agent"
	"llave/internal/bottest"
)

// maySeeNotices lets the pages of an address show notifications without asking.
func (v *visitor) maySeeNotices(origin string) {
	v.t.Helper()
	info, err := chromedp.Call(v.ctx, target.GetTargetInfo, target.GetTargetInfoParams{})
	if err == nil {
		_, err = chromedp.CallBrowser(v.ctx, browser.SetPermission, browser.SetPermissionParams{
			Permission: &browser.PermissionDescriptor{Name: "notifications"}, Setting: browser.PermissionSettingGranted, Origin: origin, BrowserContextID: info.TargetInfo.BrowserContextID,
		})
	}
	if err != nil {
		v.t.Fatalf("let pages notify: %v", err)
	}
}

// workerOf is the registration of the worker that the page has, once there is one.
func (v *visitor) workerOf() serviceworker.RegistrationID {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.ctx, pageWithin)
	defer cancel()
	enable := func(ctx context.Context, to *chromedp.Target) (cdp.Empty, error) {
		return cdp.Call(ctx, to, serviceworker.Enable, cdp.Empty{})
	}
	e, err := chromedp.Run(ctx, chromedp.WaitEvent(serviceworker.WorkerRegistrationUpdated, func(e serviceworker.EventWorkerRegistrationUpdated) bool {
		return len(e.Registrations) > 0 && !e.Registrations[0].IsDeleted
	}, enable))
	if err != nil {
		v.t.Fatalf("find the worker: %v", err)
	}
	return e.Registrations[0].RegistrationID
}

// What an agent's browser is sent while no page of the desk is open it shows, and says nothing that the page before it says by itself
// (P762). The push service is ours; that it can read the message, and what it reads, goes into Chromium by its DevTools.
func TestDesk_push(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	ana := o.sits("ana", agent.Member)
	ana.maySeeNotices(o.base)
	device := o.push.Device()
	ana.at("/agentes/alertas")
	given, err := json.Marshal(device.Subscription())
	if err != nil {
		t.Fatal(err)
	}
	// Chromium's own push service is not to be had without the internet: ours gives the subscription in its place.
	look[bool](ana.visitor, `(() => {
		PushManager.prototype.subscribe = async (options) => {
			if (!options.userVisibleOnly || new Uint8Array(options.applicationServerKey).length !== 65) throw new Error("no key");
			return { toJSON: () => JSON.parse(`+string(given)+`), unsubscribe: async () => true };
		};
		return true;
	})()`)
	ana.until("the device can be subscribed", `!document.querySelector("#suscribir").hidden`)
	do(ana.visitor, "subscribe", click("#suscribir"))
	ana.until("the device is subscribed", `document.querySelector("#empuje-dicho").textContent.includes("este equipo le avisa")`)
	contains(t, "the devices", ana.at("/agentes/alertas"), "Quitar")

	worker := ana.workerOf()
	shown := func() []string {
		return look[[]string](ana.visitor, `navigator.serviceWorker.getRegistration("/agentes/").then((r) => r.getNotifications()).then((all) => all.map((n) => n.title + " / " + n.body))`)
	}
	untilShown := func(n int) (all []string) {
		for end := time.Now().Add(pageWithin); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			if all = shown(); len(all) >= n {
				break
			}
		}
		return all
	}
	deliver := func(text string) {
		t.Helper()
		if _, err := chromedp.Call(ana.ctx, serviceworker.DeliverPushMessage, serviceworker.DeliverPushMessageParams{Origin: o.base, RegistrationID: worker, Data: text}); err != nil {
			t.Fatalf("deliver: %v", err)
		}
	}
	ref := o.person().asks()
	var got []bottest.Pushed
	if !o.api.Wait(answerWithin, func() bool { got = o.push.Got(); return len(got) == 1 }) {
		t.Fatalf("%d messages, refused: %v", len(got), o.push.Refused())
	}
	ana.open(o.base + "/privacidad")
	deliver(got[0].Text)
	if all := untilShown(1); len(all) != 1 || all[0] != "Hay un caso nuevo en la bandeja / "+ref {
		t.Errorf("shown: %q, want one of %s", all, ref)
	}
	deliver(got[0].Text) // the same case is not shown twice
	deliver(`{"text":"Hay 2 casos nuevos en la bandeja"}`)
	if all := untilShown(2); len(all) != 2 {
		t.Errorf("shown: %q, want the case once, and both", all)
	}
}

// A page tells by itself: the sound is on without anybody switching it on once the page was touched, the number of who waits stands in the
// title, and on a break nothing sounds (P760, P761).
func TestDesk_alerts(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	ana := o.sits("ana", agent.Member)
	ana.at("/agentes?ver=espera")
	sounded := func() int { return look[int](ana.visitor, `Number(document.documentElement.dataset.sounded ?? 0)`) }
	do(ana.visitor, "touch the page", click("#atajos"))
	do(ana.visitor, "and close what came", click("#ayuda form button"))
	first := o.person().asks()
	ana.until("the alert", `document.querySelector("#suceso").textContent.includes("`+first+`")`)
	if n := sounded(); n != 1 {
		t.Errorf("it sounded %d times, want once", n)
	}
	ana.until("the title counts", `document.title.startsWith("(1) ")`)
	do(ana.visitor, "go on a break", leaving(click(".tools form[action$=pausa] button")))
	ana.listening()
	do(ana.visitor, "touch the page", click("#atajos"))
	do(ana.visitor, "and close what came", click("#ayuda form button"))
	second := o.person().asks()
	ana.until("the alert", `document.querySelector("#suceso").textContent.includes("`+second+`")`)
	if n := sounded(); n != 0 { // another page
		t.Errorf("on a break it sounded %d times", n)
	}
	ana.until("the title counts", `document.title.startsWith("(2) ")`)
}
