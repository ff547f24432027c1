// Package weir asks weir, or any other Envoy rate limit service v3, whether a request may go on.
//
// [Connect] makes a [Client], one for a process. [Client.Check] asks about descriptors, which [By] makes, and comes back
// within 50 ms unless told otherwise: with the service's [Answer], or with that of the [FailurePolicy] when nobody answers.
//
// Package weirhttp limits net/http handlers.
package weir
