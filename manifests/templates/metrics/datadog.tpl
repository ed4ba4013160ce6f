# Any queries of metrics to Datadog, each reduced to one value over the time.
#
# Values:
#
# datadogURL          URL of the API; https://api.datadoghq.com by default
# datadogQueries      metrics by name, each a query or {query, aggregator, type: gauge or counter, units, description}, or
#                     with {queries: {a: …, b: …}, formula: a / b} in place of query. The aggregator makes one value of the
#                     time: avg (by default), sum, min, max, last, percentile, mean, l2norm or area.
#                     In a query $labels stands for the tags, as in a:b,c:d
# labels              the tags that tell the version from others: name and value
# elapsedTimeSeconds  the time that the metrics are about; iter8 gives it, startingTime changes it
#
# It wants two keys, in the headers DD-API-KEY and DD-APPLICATION-KEY.
# A query must not be grouped; no points are no value.
#
# Example:
#
# custommetrics:
#   templates: {datadog: datadog}
#   values:
#     datadogURL: https://api.datadoghq.eu
#     datadogQueries:
#       latency-mean: {query: "avg:trace.http.request.duration{$labels}", units: s}
#       error-rate:
#         queries: {errors: "sum:trace.http.request.errors{$labels}.as_count()", hits: "sum:trace.http.request.hits{$labels}.as_count()"}
#         formula: errors / hits
#         aggregator: sum
#   versionValues:
#   - labels: {service: shop, version: v1}
#   - labels: {service: shop, version: v2}
{{- $url := get . "datadogURL" | default "https://api.datadoghq.com" | toString }}
{{- if not (regexMatch "^https?://[^/]" $url) }}{{ fail (printf "datadogURL: give the URL of the API of Datadog, as in https://api.datadoghq.eu, not %s" (quote $url)) }}{{ end }}
{{- $end := mul 1000 (int64 (now | unixEpoch)) }}
{{- $start := sub $end (mul 1000 (max 1 (int (get . "elapsedTimeSeconds")))) }}
{{- $labels := get . "labels" | default (dict) }}
{{- if not (kindIs "map" $labels) }}{{ fail (printf "labels: give a table of names and values, not %s" (toJson $labels)) }}{{ end }}
{{- $selector := list }}
{{- range $name, $value := $labels }}
  {{- if not (regexMatch "^[\\pL\\pN_./-]+$" $name) }}{{ fail (printf "labels: `%s` is no name of a tag" $name) }}{{ end }}
  {{- if or (kindIs "map" $value) (kindIs "slice" $value) (kindIs "invalid" $value) }}{{ fail (printf "labels: give `%s` one text, number or boolean, not %s" $name (toJson $value)) }}{{ end }}
  {{- if regexMatch "[[:cntrl:]]" (toString $value) }}{{ fail (printf "labels: the value of `%s` has a control character" $name) }}{{ end }}
  {{- if not (regexMatch "^[\\pL\\pN_./:-]+$" (toString $value)) }}{{ fail (printf "labels: `%s` is no value of a tag: Datadog keeps letters, digits and _ - : . /" (toString $value)) }}{{ end }}
  {{- $selector = append $selector (printf "%s:%s" $name (toString $value)) }}
{{- end }}
{{- $selector = join "," $selector | default "*" }}
{{- $queries := get . "datadogQueries" | default (dict) }}
{{- if or (not (kindIs "map" $queries)) (empty $queries) }}{{ fail "datadogQueries: give a table of metrics, each with a query of Datadog" }}{{ end }}
url: {{ printf "%s/api/v2/query/scalar" (trimSuffix "/" $url) | toJson }}
provider: datadog
method: POST
headers:
  Content-Type: application/json
metrics:
{{- range $name, $query := $queries }}
  {{- if not (regexMatch "^[A-Za-z0-9_.-]+$" $name) }}{{ fail (printf "datadogQueries: `%s` is no name of a metric: use letters, digits, - . and _" $name) }}{{ end }}
  {{- if kindIs "string" $query }}{{ $query = dict "query" $query }}{{ end }}
  {{- if not (kindIs "map" $query) }}{{ fail (printf "datadogQueries.%s: give a query of Datadog" $name) }}{{ end }}
  {{- range $key, $ignored := $query }}
    {{- if not (has $key (list "query" "queries" "formula" "aggregator" "type" "units" "description")) }}{{ fail (printf "datadogQueries.%s: `%s` is unknown: there are query, queries, formula, aggregator, type, units and description" $name $key) }}{{ end }}
  {{- end }}
  {{- $type := get $query "type" | default "gauge" }}
  {{- if not (has $type (list "gauge" "counter")) }}{{ fail (printf "datadogQueries.%s: the type is gauge or counter, not %s" $name (toJson $type)) }}{{ end }}
  {{- $aggregator := get $query "aggregator" | default "avg" }}
  {{- if not (has $aggregator (list "avg" "sum" "min" "max" "last" "percentile" "mean" "l2norm" "area")) }}{{ fail (printf "datadogQueries.%s: there is no aggregator %s" $name (toJson $aggregator)) }}{{ end }}
  {{- $parts := get $query "queries" | default (dict) }}
  {{- $formula := get $query "formula" }}
  {{- if get $query "query" }}
    {{- if or $parts $formula }}{{ fail (printf "datadogQueries.%s: give either query, or queries and formula" $name) }}{{ end }}
    {{- $parts = dict "query" (get $query "query") }}
    {{- $formula = "query" }}
  {{- end }}
  {{- if not (and (kindIs "map" $parts) $parts (kindIs "string" $formula) $formula) }}{{ fail (printf "datadogQueries.%s: give query, or queries and formula" $name) }}{{ end }}
  {{- $all := list }}
  {{- range $part, $text := $parts }}
    {{- if not (and (kindIs "string" $text) $text) }}{{ fail (printf "datadogQueries.%s: the query `%s` is no text" $name $part) }}{{ end }}
    {{- $all = append $all (dict "data_source" "metrics" "name" $part "query" ($text | replace "$labels" $selector) "aggregator" $aggregator) }}
  {{- end }}
  {{- $attributes := dict "from" $start "to" $end "queries" $all "formulas" (list (dict "formula" $formula)) }}
- name: {{ toJson $name }}
  type: {{ $type }}
  {{- with get $query "units" }}
  units: {{ toString . | toJson }}
  {{- end }}
  {{- with get $query "description" }}
  description: {{ toString . | toJson }}
  {{- end }}
  body: {{ dict "data" (dict "type" "scalar_request" "attributes" $attributes) | toJson | toJson }}
  jqExpression: |
    if (.errors | length) > 0 then error(.errors | tostring)
    else [.data.attributes.columns[]? | select(.type == "number") | .values[]]
    | if length > 1 then error("the query gives \(length) values: take its grouping away") else .[0] end end
{{- end }}
