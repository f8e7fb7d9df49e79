package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

func (s *server) logReads() {
	huma.Register(s.api, huma.Operation{OperationID: "checkpoint", Method: http.MethodGet, Path: "/v1/log/checkpoint", Tags: []string{"log"},
		Summary: "The log's newest signed checkpoint", Description: "Keep what you get: a later `sallyport verify --since` finds a log that was set back or forked."},
		func(context.Context, *struct{}) (*struct {
			ContentType string `header:"Content-Type"`
			Body        []byte
		}, error) {
			return &struct {
				ContentType string `header:"Content-Type"`
				Body        []byte
			}{"text/plain; charset=utf-8", s.Log.Checkpoint()}, nil
		})
	huma.Register(s.api, huma.Operation{OperationID: "log-key", Method: http.MethodGet, Path: "/v1/log/key", Tags: []string{"log"}, Summary: "The log's public key"},
		func(context.Context, *struct{}) (*struct {
			ContentType string `header:"Content-Type"`
			Body        []byte
		}, error) {
			return &struct {
				ContentType string `header:"Content-Type"`
				Body        []byte
			}{"text/plain; charset=utf-8", []byte(s.LogVerifier + "\n")}, nil
		})
	huma.Register(s.api, huma.Operation{OperationID: "log-proof", Method: http.MethodGet, Path: "/v1/log/proofs/{index}", Tags: []string{"log"},
		Summary: "A proof that one entry is in the log", Description: "A file that `sallyport verify` checks offline."},
		func(ctx context.Context, in *struct {
			Index uint64 `path:"index"`
		}) (*struct {
			ContentType string `header:"Content-Type"`
			Body        []byte
		}, error) {
			ctx, cancel := context.WithTimeout(ctx, readTimeout)
			defer cancel()
			proof, err := s.Log.Prove(ctx, in.Index)
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			return &struct {
				ContentType string `header:"Content-Type"`
				Body        []byte
			}{"text/plain; charset=utf-8", proof}, nil
		})
}
