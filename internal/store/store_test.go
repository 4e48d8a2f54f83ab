package store_test

import (
	"testing"

	"llave/internal/store/storetest"
)

func TestRepositories(t *testing.T) {
	for _, b := range storetest.Backends() {
		t.Run(b.Name, func(t *testing.T) { storetest.RunRepositories(t, b.Open) })
	}
}
