// Command ghz sends load with ghz, called as Iter8 0.13 called it, and prints ghz's report as JSON.
//
//	ghz HOST CALL PROTO-FILE DATA CONNECTIONS CONCURRENCY SECONDS
package main

import (
	"encoding/json"
	"log"
	"os"
	"strconv"
	"time"

	"github.com/bojand/ghz/runner"
)

func number(text string) float64 {
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func main() {
	if len(os.Args) != 8 {
		log.Fatal("usage: ghz HOST CALL PROTO-FILE DATA CONNECTIONS CONCURRENCY SECONDS")
	}
	config := runner.Config{
		Host:        os.Args[1],
		Call:        os.Args[2],
		Proto:       os.Args[3],
		Connections: uint(number(os.Args[5])),
		C:           uint(number(os.Args[6])),
		Z:           runner.Duration(number(os.Args[7]) * float64(time.Second)),
		Timeout:     runner.Duration(20 * time.Second),
		DialTimeout: runner.Duration(10 * time.Second),
		ZStop:       "close",
		Insecure:    true,
		CountErrors: true,
	}
	if err := json.Unmarshal([]byte(os.Args[4]), &config.Data); err != nil {
		log.Fatal(err)
	}
	report, err := runner.Run(config.Call, config.Host, runner.WithConfig(&config))
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(report); err != nil {
		log.Fatal(err)
	}
}
