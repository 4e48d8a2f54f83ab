package mongodb_test

import (
	"testing"

	"llave/internal/store"
	"llave/internal/store/storetest"
)

func TestEngine(t *testing.T) {
	storetest.Run(t, func(t testing.TB) store.Engine { return storetest.MongoDB(t) })
}
