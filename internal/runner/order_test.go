package runner_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"llave/bot"
	"llave/internal/store"
	"llave/internal/store/storetest"
)

// Updates of a chat that wait for it at the same time are answered in the order in which they were sent, whatever order
// they came in; those of another chat, and what a promise has to write down, do not wait for them.
func TestHandle_waitingInOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		came := rapid.Permutation([]int{1, 2, 3, 4, 5}).Draw(rt, "came")
		first := rapid.IntRange(0, 9).Draw(rt, "answered meanwhile") // while this one is being answered the others come
		synctest.Test(t, func(t *testing.T) {
			open := make(chan struct{})
			var begun atomic.Bool
			cl := newKeeperCluster(t, storetest.Around(storetest.Bolt(t, nil), func(c storetest.Call, do func() error) error {
				if c.Collection == store.Conversations && !begun.Swap(true) {
					<-open
				}
				return do()
			}))
			r := cl.runner("a")
			var wg sync.WaitGroup
			say := func(id int) {
				wg.Go(func() {
					u := bot.Update{ID: fmt.Sprint(id), Order: int64(id), Channel: "telegram", Chat: "1", Kind: bot.Text, Text: "hola"}
					if err := r.Handle(t.Context(), u); err != nil {
						t.Error(err)
					}
				})
				synctest.Wait()
			}
			say(first)
			for _, id := range came {
				say(10 + id)
			}
			cl.say(r, 1, "2", "hola")
			close(open)
			wg.Wait()
			cl.idle(r)
			var got []string
			for _, seen := range cl.conversation("1").Seen {
				got = append(got, seen.ID)
			}
			if want := []string{fmt.Sprint(first), "11", "12", "13", "14", "15"}; !slices.Equal(got, want) {
				t.Errorf("came %v; answered %v, want %v", came, got, want)
			}
		})
	})
}
