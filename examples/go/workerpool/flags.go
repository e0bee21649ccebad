// SPDX-License-Identifier: MIT

package workerpool

// Where the library is: pkg-config tells. `go build` takes the shared one, `go build -tags workerpool_static` the static one; with
// that tag the linker has what it needs before it comes to -lworkerpool, and leaves the shared one out.

/*
#cgo pkg-config: workerpool
#cgo workerpool_static LDFLAGS: -l:libworkerpool.a -lutil -lrt -lpthread -lm -ldl -Wl,--as-needed
*/
import "C"
