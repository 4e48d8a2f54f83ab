package store_test

import (
	"testing"

	"go.uber.org/goleak"

	"llave/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRepositories(t *testing.T) {
	for _, b := range storetest.Backends() {
		t.Run(b.Name, func(t *testing.T) { storetest.RunRepositories(t, b.Open) })
	}
}
