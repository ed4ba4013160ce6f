# Requests to a version of an app as Linkerd's proxies count them in Prometheus.
#
# Values:
#
# linkerdPromURL      URL of Prometheus; http://prometheus.linkerd-viz:9090 by default
# labels              the labels that tell the version from others: name and value, in every query
# latencyPercentiles  list of numbers; 99.9 gives the metric latency-p99.9
# elapsedTimeSeconds  the time that the metrics are about; iter8 gives it, startingTime changes it
#
# Metrics: request-count, error-count, error-rate, latency-mean, latency-pNN (in ms). Prometheus works out how much its
# counters grew within the time, so it must have scraped the app twice in it; until then there is no value. Where there
# were no requests there is no error rate and no latency, rather than one of 0.
# A request fails when Linkerd classifies its answer as a failure. Only what comes in is counted, once.
#
# Example:
#
# custommetrics:
#   templates: {linkerd-prom: linkerd-prom}
#   values:
#     labels: {namespace: default}
#     latencyPercentiles: [95]
#   versionValues:
#   - labels: {deployment: shop-v1}
#   - labels: {deployment: shop-v2}
{{- $url := get . "linkerdPromURL" | default "http://prometheus.linkerd-viz:9090" | toString }}
{{- if not (regexMatch "^https?://[^/]" $url) }}{{ fail (printf "linkerdPromURL: give the URL of Prometheus, as in http://prometheus.monitoring:9090, not %s" (quote $url)) }}{{ end }}
{{- if not (hasSuffix "/api/v1/query" $url) }}{{ $url = printf "%s/api/v1/query" (trimSuffix "/" $url) }}{{ end }}
{{- $window := printf "%ds" (max 1 (int (get . "elapsedTimeSeconds"))) }}
{{- $labels := get . "labels" | default (dict) }}
{{- if not (kindIs "map" $labels) }}{{ fail (printf "labels: give a table of names and values, not %s" (toJson $labels)) }}{{ end }}
{{- $selector := list }}
{{- range $name, $value := $labels }}
  {{- if not (regexMatch "^[a-zA-Z_][a-zA-Z0-9_]*$" $name) }}{{ fail (printf "labels: `%s` is no name of a label of Prometheus" $name) }}{{ end }}
  {{- if has $name (list "classification" "direction") }}{{ fail (printf "labels: `%s` is the template's own: failures of incoming requests are what is counted, leave it out" $name) }}{{ end }}
  {{- if or (kindIs "map" $value) (kindIs "slice" $value) (kindIs "invalid" $value) }}{{ fail (printf "labels: give `%s` one text, number or boolean, not %s" $name (toJson $value)) }}{{ end }}
  {{- $selector = append $selector (printf "%s=%s" $name ($value | toString | quote)) }}
{{- end }}
{{- $selector = join "," $selector }}
{{- $requests := printf "sum(increase(response_total{direction=\"inbound\",%s}[%s]))" $selector $window }}
{{- $errors := printf "sum(increase(response_total{direction=\"inbound\",classification=\"failure\",%s}[%s]))" $selector $window }}
{{- $percentiles := get . "latencyPercentiles" | default (list) }}
{{- if not (kindIs "slice" $percentiles) }}{{ fail (printf "latencyPercentiles: give a list of numbers, not %s" (toJson $percentiles)) }}{{ end }}
url: {{ toJson $url }}
provider: linkerd-prom
method: GET
metrics:
- name: request-count
  type: counter
  description: Number of requests
  params:
  - name: query
    value: {{ toJson $requests }}
  jqExpression: .data.result[0].value[1]
- name: error-count
  type: counter
  description: Number of requests that failed
  params:
  - name: query
    # No series of failures is no failure, unless there is none of requests either.
    value: {{ printf "%s or %s * 0" $errors $requests | toJson }}
  jqExpression: .data.result[0].value[1]
- name: error-rate
  type: gauge
  description: Fraction of the requests that failed
  params:
  - name: query
    value: {{ printf "(%s or %s * 0) / %s" $errors $requests $requests | toJson }}
  jqExpression: .data.result[0].value[1]
- name: latency-mean
  type: gauge
  description: Mean latency
  units: ms
  params:
  - name: query
    value: {{ printf "sum(increase(response_latency_ms_sum{direction=\"inbound\",%s}[%s])) / sum(increase(response_latency_ms_count{direction=\"inbound\",%s}[%s]))" $selector $window $selector $window | toJson }}
  jqExpression: .data.result[0].value[1]
{{- range $percentiles }}
  {{- $p := toString . }}
  {{- if not (regexMatch "^([1-9]?[0-9](\\.[0-9]+)?|100)$" $p) }}{{ fail (printf "latencyPercentiles: %s is no number from 0 to 100" (toJson .)) }}{{ end }}
- name: latency-p{{ $p }}
  type: gauge
  description: Latency that {{ $p }} % of the requests do not exceed
  units: ms
  params:
  - name: query
    value: {{ printf "histogram_quantile(%s / 100, sum by (le) (rate(response_latency_ms_bucket{direction=\"inbound\",%s}[%s])))" $p $selector $window | toJson }}
  jqExpression: .data.result[0].value[1]
{{- end }}
