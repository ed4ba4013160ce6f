# Metrics of Sysdig Monitor, each reduced to one value over the time.
#
# Values:
#
# sysdigURL           URL of Sysdig; https://app.sysdigcloud.com by default
# sysdigQueries       metrics by name, each the name of one of Sysdig or {query, timeAggregation, groupAggregation, filter,
#                     type: gauge or counter, units, description}. Aggregations are avg (by default), sum, min, max, and
#                     for the time also timeAvg; a filter is added to the labels.
# labels              the labels that tell the version from others: name and value
# elapsedTimeSeconds  the time that the metrics are about; iter8 gives it, startingTime changes it
#
# It wants a token in the header Authorization: Bearer ….
# No points are no value.
#
# Example:
#
# custommetrics:
#   templates: {sysdig: sysdig}
#   values:
#     sysdigQueries:
#       cpu: {query: cpu.used.percent, units: "%"}
#       request-count: {query: net.http.request.count, timeAggregation: sum, groupAggregation: sum, type: counter}
#   versionValues:
#   - labels: {kubernetes.deployment.name: shop-v1}
#   - labels: {kubernetes.deployment.name: shop-v2}
{{- $url := get . "sysdigURL" | default "https://app.sysdigcloud.com" | toString }}
{{- if not (regexMatch "^https?://[^/]" $url) }}{{ fail (printf "sysdigURL: give the URL of Sysdig, as in https://app.sysdigcloud.com, not %s" (quote $url)) }}{{ end }}
{{- $seconds := max 1 (int (get . "elapsedTimeSeconds")) }}
{{- $labels := get . "labels" | default (dict) }}
{{- if not (kindIs "map" $labels) }}{{ fail (printf "labels: give a table of names and values, not %s" (toJson $labels)) }}{{ end }}
{{- $selector := list }}
{{- range $name, $value := $labels }}
  {{- if not (regexMatch "^[A-Za-z0-9_.-]+$" $name) }}{{ fail (printf "labels: `%s` is no name of a label of Sysdig" $name) }}{{ end }}
  {{- if or (kindIs "map" $value) (kindIs "slice" $value) (kindIs "invalid" $value) }}{{ fail (printf "labels: give `%s` one text, number or boolean, not %s" $name (toJson $value)) }}{{ end }}
  {{- if regexMatch "[[:cntrl:]]" (toString $value) }}{{ fail (printf "labels: the value of `%s` has a control character" $name) }}{{ end }}
  {{- if regexMatch "['\"\\\\]" (toString $value) }}{{ fail (printf "labels: the value of `%s` must have no quotation mark or backslash" $name) }}{{ end }}
  {{- $selector = append $selector (printf "%s = '%s'" $name (toString $value)) }}
{{- end }}
{{- $queries := get . "sysdigQueries" | default (dict) }}
{{- if or (not (kindIs "map" $queries)) (empty $queries) }}{{ fail "sysdigQueries: give a table of metrics, each with the name of a metric of Sysdig" }}{{ end }}
url: {{ printf "%s/api/data" (trimSuffix "/" $url) | toJson }}
provider: sysdig
method: POST
headers:
  Content-Type: application/json
metrics:
{{- range $name, $query := $queries }}
  {{- if not (regexMatch "^[A-Za-z0-9_.-]+$" $name) }}{{ fail (printf "sysdigQueries: `%s` is no name of a metric: use letters, digits, - . and _" $name) }}{{ end }}
  {{- if kindIs "string" $query }}{{ $query = dict "query" $query }}{{ end }}
  {{- if not (kindIs "map" $query) }}{{ fail (printf "sysdigQueries.%s: give the name of a metric of Sysdig" $name) }}{{ end }}
  {{- range $key, $ignored := $query }}
    {{- if not (has $key (list "query" "timeAggregation" "groupAggregation" "filter" "type" "units" "description")) }}{{ fail (printf "sysdigQueries.%s: `%s` is unknown: there are query, timeAggregation, groupAggregation, filter, type, units and description" $name $key) }}{{ end }}
  {{- end }}
  {{- $type := get $query "type" | default "gauge" }}
  {{- if not (has $type (list "gauge" "counter")) }}{{ fail (printf "sysdigQueries.%s: the type is gauge or counter, not %s" $name (toJson $type)) }}{{ end }}
  {{- $text := get $query "query" }}
  {{- if not (and (kindIs "string" $text) $text) }}{{ fail (printf "sysdigQueries.%s: query is missing" $name) }}{{ end }}
  {{- $time := get $query "timeAggregation" | default "avg" }}
  {{- $group := get $query "groupAggregation" | default "avg" }}
  {{- if not (has $time (list "avg" "timeAvg" "sum" "min" "max")) }}{{ fail (printf "sysdigQueries.%s: there is no timeAggregation %s" $name (toJson $time)) }}{{ end }}
  {{- if not (has $group (list "avg" "sum" "min" "max")) }}{{ fail (printf "sysdigQueries.%s: there is no groupAggregation %s" $name (toJson $group)) }}{{ end }}
  {{- $filters := $selector }}
  {{- with get $query "filter" }}{{ $filters = append $filters (printf "(%s)" (toString .)) }}{{ end }}
  {{- $metric := dict "id" $text "aggregations" (dict "time" $time "group" $group) }}
  {{- $body := dict "last" $seconds "metrics" (list $metric) "dataSourceType" "container" "filter" (join " and " $filters | default nil) }}
- name: {{ toJson $name }}
  type: {{ $type }}
  {{- with get $query "units" }}
  units: {{ toString . | toJson }}
  {{- end }}
  {{- with get $query "description" }}
  description: {{ toString . | toJson }}
  {{- end }}
  body: {{ $body | toJson | toJson }}
  jqExpression: |
    .data | if length > 1 then error("the answer has \(length) rows, and one is wanted") else .[0].d[0] end
{{- end }}
