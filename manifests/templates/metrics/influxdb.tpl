# Any queries in InfluxQL to InfluxDB 1, or to what has its API.
#
# Values:
#
# influxdbURL         URL of InfluxDB, required
# influxdbDatabase    name of the database, required
# influxdbQueries     metrics by name, each a text or {query, type: gauge or counter, units, description}.
#                     In a query $window stands for the time, as in 30s, and $labels for "a" = 'b' AND "c" = 'd'
# labels              the labels that tell the version from others: name and value
# elapsedTimeSeconds  the time that the metrics are about; iter8 gives it, startingTime changes it
#
# A query must give one series with one value at most; none is no value.
#
# Example:
#
# custommetrics:
#   templates: {influxdb: influxdb}
#   values:
#     influxdbURL: http://influxdb.monitoring:8086
#     influxdbDatabase: shop
#     influxdbQueries:
#       latency-mean: {query: SELECT mean("ms") FROM "requests" WHERE time > now() - $window AND $labels, units: ms}
#   versionValues:
#   - labels: {version: v1}
#   - labels: {version: v2}
{{- $url := get . "influxdbURL" | default "" | toString }}
{{- if not (regexMatch "^https?://[^/]" $url) }}{{ fail (printf "influxdbURL: give the URL of InfluxDB, as in http://influxdb:8086, not %s" (quote $url)) }}{{ end }}
{{- if not (and (kindIs "string" (get . "influxdbDatabase")) (get . "influxdbDatabase")) }}{{ fail "influxdbDatabase: give the name of the database" }}{{ end }}
{{- $window := printf "%ds" (max 1 (int (get . "elapsedTimeSeconds"))) }}
{{- $labels := get . "labels" | default (dict) }}
{{- if not (kindIs "map" $labels) }}{{ fail (printf "labels: give a table of names and values, not %s" (toJson $labels)) }}{{ end }}
{{- $selector := list }}
{{- range $name, $value := $labels }}
  {{- if not (regexMatch "^[A-Za-z0-9_.:/-]+$" $name) }}{{ fail (printf "labels: `%s` is no name of a tag" $name) }}{{ end }}
  {{- if or (kindIs "map" $value) (kindIs "slice" $value) (kindIs "invalid" $value) }}{{ fail (printf "labels: give `%s` one text, number or boolean, not %s" $name (toJson $value)) }}{{ end }}
  {{- if regexMatch "[[:cntrl:]]" (toString $value) }}{{ fail (printf "labels: the value of `%s` has a control character" $name) }}{{ end }}
  {{- $text := toString $value | replace "\\" "\\\\" | replace "'" "\\'" }}
  {{- $selector = append $selector (printf "\"%s\" = '%s'" $name $text) }}
{{- end }}
{{- $queries := get . "influxdbQueries" | default (dict) }}
{{- if or (not (kindIs "map" $queries)) (empty $queries) }}{{ fail "influxdbQueries: give a table of metrics, each with a query in InfluxQL" }}{{ end }}
url: {{ printf "%s/query" (trimSuffix "/" $url) | toJson }}
provider: influxdb
method: GET
metrics:
{{- $database := get . "influxdbDatabase" }}
{{- range $name, $query := $queries }}
  {{- if not (regexMatch "^[A-Za-z0-9_.-]+$" $name) }}{{ fail (printf "influxdbQueries: `%s` is no name of a metric: use letters, digits, - . and _" $name) }}{{ end }}
  {{- if kindIs "string" $query }}{{ $query = dict "query" $query }}{{ end }}
  {{- if not (kindIs "map" $query) }}{{ fail (printf "influxdbQueries.%s: give a query in InfluxQL" $name) }}{{ end }}
  {{- range $key, $ignored := $query }}
    {{- if not (has $key (list "query" "type" "units" "description")) }}{{ fail (printf "influxdbQueries.%s: `%s` is unknown: there are query, type, units and description" $name $key) }}{{ end }}
  {{- end }}
  {{- $type := get $query "type" | default "gauge" }}
  {{- if not (has $type (list "gauge" "counter")) }}{{ fail (printf "influxdbQueries.%s: the type is gauge or counter, not %s" $name (toJson $type)) }}{{ end }}
  {{- $text := get $query "query" }}
  {{- if not (and (kindIs "string" $text) $text) }}{{ fail (printf "influxdbQueries.%s: query is missing" $name) }}{{ end }}
  {{- if and (contains "$labels" $text) (empty $labels) }}{{ fail (printf "influxdbQueries.%s uses $labels, and labels is not given" $name) }}{{ end }}
- name: {{ toJson $name }}
  type: {{ $type }}
  {{- with get $query "units" }}
  units: {{ toString . | toJson }}
  {{- end }}
  {{- with get $query "description" }}
  description: {{ toString . | toJson }}
  {{- end }}
  params:
  - name: db
    value: {{ toJson $database }}
  - name: q
    value: {{ $text | replace "$window" $window | replace "$labels" (join " AND " $selector) | toJson }}
  jqExpression: |
    (.error // .results[0].error) as $error | .results[0].series
    | if $error then error($error)
    elif length > 1 then error("the query gives \(length) series: make one of them")
    elif (.[0].values | length) > 1 then error("the query gives \(.[0].values | length) rows: make one of them")
    else .[0].values[0][1] end
{{- end }}
