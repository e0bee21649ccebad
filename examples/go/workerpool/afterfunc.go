// SPDX-License-Identifier: MIT

//go:build go1.21

package workerpool

import "context"

func afterFunc(ctx context.Context, f func()) (stop func() bool) { return context.AfterFunc(ctx, f) }
