# Any queries to Prometheus, or to what has its API (VictoriaMetrics, Thanos, Mimir).
#
# Values:
#
# prometheusURL       URL of Prometheus, required
# prometheusQueries   metrics by name, each a text or {query, type: gauge, counter or histogram, units, description}.
#                     In a query $window stands for the time, as in 30s, and $labels for a="b",c="d"
# labels              the labels that tell the version from others: name and value
# elapsedTimeSeconds  the time that the metrics are about; iter8 gives it, startingTime changes it
#
# A query must give one series at most; none, or NaN, is no value. That of a histogram gives one for each bucket, as
# sum by (le) (increase(…_bucket{$labels}[$window])) does; its metrics are name/count and name/pNN.
#
# Example:
#
# custommetrics:
#   templates: {prometheus: prometheus}
#   values:
#     prometheusURL: http://prometheus.monitoring:9090
#     prometheusQueries:
#       error-rate: sum(rate(http_requests_total{code=~"5..",$labels}[$window])) / sum(rate(http_requests_total{$labels}[$window]))
#       latency: {query: "sum by (le) (increase(http_seconds_bucket{$labels}[$window]))", type: histogram, units: s}
#   versionValues:
#   - labels: {version: v1}
#   - labels: {version: v2}
{{- $url := get . "prometheusURL" | default "" | toString }}
{{- if not (regexMatch "^https?://[^/]" $url) }}{{ fail (printf "prometheusURL: give the URL of Prometheus, as in http://prometheus.monitoring:9090, not %s" (quote $url)) }}{{ end }}
{{- if not (hasSuffix "/api/v1/query" $url) }}{{ $url = printf "%s/api/v1/query" (trimSuffix "/" $url) }}{{ end }}
{{- $window := printf "%ds" (max 1 (int (get . "elapsedTimeSeconds"))) }}
{{- $labels := get . "labels" | default (dict) }}
{{- if not (kindIs "map" $labels) }}{{ fail (printf "labels: give a table of names and values, not %s" (toJson $labels)) }}{{ end }}
{{- $selector := list }}
{{- range $name, $value := $labels }}
  {{- if not (regexMatch "^[a-zA-Z_][a-zA-Z0-9_]*$" $name) }}{{ fail (printf "labels: `%s` is no name of a label of Prometheus" $name) }}{{ end }}
  {{- if or (kindIs "map" $value) (kindIs "slice" $value) (kindIs "invalid" $value) }}{{ fail (printf "labels: give `%s` one text, number or boolean, not %s" $name (toJson $value)) }}{{ end }}
  {{- $selector = append $selector (printf "%s=%s" $name ($value | toString | quote)) }}
{{- end }}
{{- $selector = join "," $selector }}
{{- $queries := get . "prometheusQueries" | default (dict) }}
{{- if or (not (kindIs "map" $queries)) (empty $queries) }}{{ fail "prometheusQueries: give a table of metrics, each with a query in PromQL" }}{{ end }}
url: {{ toJson $url }}
provider: prometheus
method: GET
metrics:
{{- range $name, $query := $queries }}
  {{- if not (regexMatch "^[A-Za-z0-9_.-]+$" $name) }}{{ fail (printf "prometheusQueries: `%s` is no name of a metric: use letters, digits, - . and _" $name) }}{{ end }}
  {{- if kindIs "string" $query }}{{ $query = dict "query" $query }}{{ end }}
  {{- if not (kindIs "map" $query) }}{{ fail (printf "prometheusQueries.%s: give a query in PromQL" $name) }}{{ end }}
  {{- range $key, $ignored := $query }}
    {{- if not (has $key (list "query" "type" "units" "description")) }}{{ fail (printf "prometheusQueries.%s: `%s` is unknown: there are query, type, units and description" $name $key) }}{{ end }}
  {{- end }}
  {{- $type := get $query "type" | default "gauge" }}
  {{- if not (has $type (list "gauge" "counter" "histogram")) }}{{ fail (printf "prometheusQueries.%s: the type is gauge, counter or histogram, not %s" $name (toJson $type)) }}{{ end }}
  {{- $text := get $query "query" }}
  {{- if not (and (kindIs "string" $text) $text) }}{{ fail (printf "prometheusQueries.%s: query is missing" $name) }}{{ end }}
- name: {{ toJson $name }}
  type: {{ $type }}
  {{- with get $query "units" }}
  units: {{ toString . | toJson }}
  {{- end }}
  {{- with get $query "description" }}
  description: {{ toString . | toJson }}
  {{- end }}
  params:
  - name: query
    value: {{ $text | replace "$window" $window | replace "$labels" $selector | toJson }}
  {{- if eq $type "histogram" }}
  jqExpression: .data.result | map([.metric.le, .value[1]])
  {{- else }}
  jqExpression: |
    .data | if .resultType == "scalar" then .result[1]
    elif (.result | length) > 1 then error("the query gives \(.result | length) series: make one of them, as with sum()")
    else .result[0].value[1] end
  {{- end }}
{{- end }}
