// Command fortio sends load with Fortio's fast client, called as Iter8 0.13 called it, and prints Fortio's result as JSON.
//
//	fortio URL QUERIES-A-SECOND CONNECTIONS SECONDS    (-1 queries a second: as many as come)
package main

import (
	"encoding/json"
	"io"
	"log"
	"os"
	"strconv"
	"time"

	"fortio.org/fortio/fhttp"
	"fortio.org/fortio/periodic"
	fortiolog "fortio.org/log"
)

func number(text string) float64 {
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func main() {
	if len(os.Args) != 5 {
		log.Fatal("usage: fortio URL QUERIES-A-SECOND CONNECTIONS SECONDS")
	}
	fortiolog.SetLogLevel(fortiolog.Error)
	options := fhttp.HTTPRunnerOptions{
		RunnerOptions: periodic.RunnerOptions{
			RunType:     "Iter8 HTTP performance test",
			QPS:         number(os.Args[2]),
			NumThreads:  int(number(os.Args[3])),
			Duration:    time.Duration(number(os.Args[4]) * float64(time.Second)),
			Percentiles: []float64{50, 99},
			Out:         io.Discard,
		},
		HTTPOptions: fhttp.HTTPOptions{URL: os.Args[1]},
	}
	result, err := fhttp.RunHTTPTest(&options)
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		log.Fatal(err)
	}
}
