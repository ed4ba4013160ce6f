# Any queries in Flux to InfluxDB 2.
#
# Values:
#
# influxdb2URL        URL of InfluxDB, required
# influxdb2Org        name of the organization, required
# influxdb2Queries    metrics by name, each a text or {query, type: gauge or counter, units, description}.
#                     In a query $window stands for the time, as in 30s, and $labels for r["a"] == "b" and r["c"] == "d"
# labels              the labels that tell the version from others: name and value
# elapsedTimeSeconds  the time that the metrics are about; iter8 gives it, startingTime changes it
#
# It wants a token in the header Authorization: Token ….
# A query must give one value at most, in the column _value; none is no value.
#
# Example:
#
# custommetrics:
#   templates: {influxdb2: influxdb2}
#   values:
#     influxdb2URL: http://influxdb.monitoring:8086
#     influxdb2Org: shop
#     influxdb2Queries:
#       latency-mean:
#         units: ms
#         query: |
#           from(bucket: "shop") |> range(start: -$window)
#             |> filter(fn: (r) => r._measurement == "requests" and r._field == "ms" and $labels) |> group() |> mean()
#   versionValues:
#   - labels: {version: v1}
#   - labels: {version: v2}
{{- $url := get . "influxdb2URL" | default "" | toString }}
{{- if not (regexMatch "^https?://[^/]" $url) }}{{ fail (printf "influxdb2URL: give the URL of InfluxDB, as in http://influxdb:8086, not %s" (quote $url)) }}{{ end }}
{{- if not (and (kindIs "string" (get . "influxdb2Org")) (get . "influxdb2Org")) }}{{ fail "influxdb2Org: give the name of the organization" }}{{ end }}
{{- $window := printf "%ds" (max 1 (int (get . "elapsedTimeSeconds"))) }}
{{- $labels := get . "labels" | default (dict) }}
{{- if not (kindIs "map" $labels) }}{{ fail (printf "labels: give a table of names and values, not %s" (toJson $labels)) }}{{ end }}
{{- $selector := list }}
{{- range $name, $value := $labels }}
  {{- if not (regexMatch "^[A-Za-z0-9_.:/-]+$" $name) }}{{ fail (printf "labels: `%s` is no name of a tag" $name) }}{{ end }}
  {{- if or (kindIs "map" $value) (kindIs "slice" $value) (kindIs "invalid" $value) }}{{ fail (printf "labels: give `%s` one text, number or boolean, not %s" $name (toJson $value)) }}{{ end }}
  {{- if regexMatch "[[:cntrl:]]" (toString $value) }}{{ fail (printf "labels: the value of `%s` has a control character" $name) }}{{ end }}
  {{- $text := toString $value | replace "\\" "\\\\" | replace "\"" "\\\"" | replace "${" "\\${" }}
  {{- $selector = append $selector (printf "r[\"%s\"] == \"%s\"" $name $text) }}
{{- end }}
{{- $queries := get . "influxdb2Queries" | default (dict) }}
{{- if or (not (kindIs "map" $queries)) (empty $queries) }}{{ fail "influxdb2Queries: give a table of metrics, each with a query in Flux" }}{{ end }}
url: {{ printf "%s/api/v2/query" (trimSuffix "/" $url) | toJson }}
provider: influxdb2
method: POST
headers:
  Content-Type: application/json
  Accept: application/csv
metrics:
{{- $org := get . "influxdb2Org" }}
{{- range $name, $query := $queries }}
  {{- if not (regexMatch "^[A-Za-z0-9_.-]+$" $name) }}{{ fail (printf "influxdb2Queries: `%s` is no name of a metric: use letters, digits, - . and _" $name) }}{{ end }}
  {{- if kindIs "string" $query }}{{ $query = dict "query" $query }}{{ end }}
  {{- if not (kindIs "map" $query) }}{{ fail (printf "influxdb2Queries.%s: give a query in Flux" $name) }}{{ end }}
  {{- range $key, $ignored := $query }}
    {{- if not (has $key (list "query" "type" "units" "description")) }}{{ fail (printf "influxdb2Queries.%s: `%s` is unknown: there are query, type, units and description" $name $key) }}{{ end }}
  {{- end }}
  {{- $type := get $query "type" | default "gauge" }}
  {{- if not (has $type (list "gauge" "counter")) }}{{ fail (printf "influxdb2Queries.%s: the type is gauge or counter, not %s" $name (toJson $type)) }}{{ end }}
  {{- $text := get $query "query" }}
  {{- if not (and (kindIs "string" $text) $text) }}{{ fail (printf "influxdb2Queries.%s: query is missing" $name) }}{{ end }}
  {{- if and (contains "$labels" $text) (empty $labels) }}{{ fail (printf "influxdb2Queries.%s uses $labels, and labels is not given" $name) }}{{ end }}
- name: {{ toJson $name }}
  type: {{ $type }}
  {{- with get $query "units" }}
  units: {{ toString . | toJson }}
  {{- end }}
  {{- with get $query "description" }}
  description: {{ toString . | toJson }}
  {{- end }}
  {{- $flux := $text | replace "$window" $window | replace "$labels" (join " and " $selector) }}
  {{- $flux = printf "%s\n  |> keep(columns: [\"_value\"])" (trimSuffix "\n" $flux) }}
  {{- $dialect := dict "header" true "delimiter" "," "annotations" (list) }}
  params:
  - name: org
    value: {{ toJson $org }}
  body: {{ dict "query" $flux "type" "flux" "dialect" $dialect | toJson | toJson }}
  # The answer is a text of comma-separated values: a line of names, then one of values.
  jqExpression: |
    split("\n") | map(rtrimstr("\r") | select(. != ""))
    | if length > 2 then error("the query gives \(length - 1) rows: make one of them, as with group() and mean()")
    elif length < 2 then null
    else (.[0] | split(",") | index("_value")) as $at | .[1] | split(",") | .[$at] end
{{- end }}
