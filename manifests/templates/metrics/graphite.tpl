# Any targets of Graphite, or of what has its API, each reduced to one value over the time.
#
# Values:
#
# graphiteURL         URL of Graphite, required
# graphiteQueries     metrics by name, each a target or {query, aggregation, type: gauge or counter, units, description}. The
#                     aggregation makes one value of the points: average (by default), sum, min, max or last.
#                     In a target $window stands for the time, as in 30s, and $labels for 'a=b','c=d'
# labels              the tags that tell the version from others: name and value
# elapsedTimeSeconds  the time that the metrics are about; iter8 gives it, startingTime changes it
#
# A target must give one series at most; no points are no value.
#
# Example:
#
# custommetrics:
#   templates: {graphite: graphite}
#   values:
#     graphiteURL: http://graphite.monitoring
#     graphiteQueries:
#       latency-mean: {query: "averageSeries(seriesByTag('name=shop.latency',$labels))", units: ms}
#       request-count: {query: "sumSeries(seriesByTag('name=shop.requests',$labels))", aggregation: sum, type: counter}
#   versionValues:
#   - labels: {version: v1}
#   - labels: {version: v2}
{{- $url := get . "graphiteURL" | default "" | toString }}
{{- if not (regexMatch "^https?://[^/]" $url) }}{{ fail (printf "graphiteURL: give the URL of Graphite, as in http://graphite.monitoring, not %s" (quote $url)) }}{{ end }}
{{- $window := printf "%ds" (max 1 (int (get . "elapsedTimeSeconds"))) }}
{{- $labels := get . "labels" | default (dict) }}
{{- if not (kindIs "map" $labels) }}{{ fail (printf "labels: give a table of names and values, not %s" (toJson $labels)) }}{{ end }}
{{- $selector := list }}
{{- range $name, $value := $labels }}
  {{- if not (regexMatch "^[^;!^='\"[:cntrl:]]+$" $name) }}{{ fail (printf "labels: `%s` is no name of a tag" $name) }}{{ end }}
  {{- if or (kindIs "map" $value) (kindIs "slice" $value) (kindIs "invalid" $value) }}{{ fail (printf "labels: give `%s` one text, number or boolean, not %s" $name (toJson $value)) }}{{ end }}
  {{- if regexMatch "[[:cntrl:]]" (toString $value) }}{{ fail (printf "labels: the value of `%s` has a control character" $name) }}{{ end }}
  {{- if regexMatch "[;'\"\\\\]" (toString $value) }}{{ fail (printf "labels: the value of `%s` must have no quotation mark, semicolon or backslash" $name) }}{{ end }}
  {{- $selector = append $selector (printf "'%s=%s'" $name (toString $value)) }}
{{- end }}
{{- $queries := get . "graphiteQueries" | default (dict) }}
{{- if or (not (kindIs "map" $queries)) (empty $queries) }}{{ fail "graphiteQueries: give a table of metrics, each with a target of Graphite" }}{{ end }}
url: {{ printf "%s/render" (trimSuffix "/" $url) | toJson }}
provider: graphite
method: GET
metrics:
{{- range $name, $query := $queries }}
  {{- if not (regexMatch "^[A-Za-z0-9_.-]+$" $name) }}{{ fail (printf "graphiteQueries: `%s` is no name of a metric: use letters, digits, - . and _" $name) }}{{ end }}
  {{- if kindIs "string" $query }}{{ $query = dict "query" $query }}{{ end }}
  {{- if not (kindIs "map" $query) }}{{ fail (printf "graphiteQueries.%s: give a target of Graphite" $name) }}{{ end }}
  {{- range $key, $ignored := $query }}
    {{- if not (has $key (list "query" "aggregation" "type" "units" "description")) }}{{ fail (printf "graphiteQueries.%s: `%s` is unknown: there are query, aggregation, type, units and description" $name $key) }}{{ end }}
  {{- end }}
  {{- $type := get $query "type" | default "gauge" }}
  {{- if not (has $type (list "gauge" "counter")) }}{{ fail (printf "graphiteQueries.%s: the type is gauge or counter, not %s" $name (toJson $type)) }}{{ end }}
  {{- $text := get $query "query" }}
  {{- if not (and (kindIs "string" $text) $text) }}{{ fail (printf "graphiteQueries.%s: query is missing" $name) }}{{ end }}
  {{- if and (contains "$labels" $text) (empty $labels) }}{{ fail (printf "graphiteQueries.%s uses $labels, and labels is not given" $name) }}{{ end }}
  {{- $aggregation := get $query "aggregation" | default "average" }}
  {{- $reduce := dict "average" "add / length" "sum" "add" "min" "min" "max" "max" "last" ".[-1]" }}
  {{- if not (hasKey $reduce (toString $aggregation)) }}{{ fail (printf "graphiteQueries.%s: the aggregation is average, sum, min, max or last, not %s" $name (toJson $aggregation)) }}{{ end }}
- name: {{ toJson $name }}
  type: {{ $type }}
  {{- with get $query "units" }}
  units: {{ toString . | toJson }}
  {{- end }}
  {{- with get $query "description" }}
  description: {{ toString . | toJson }}
  {{- end }}
  params:
  - name: target
    value: {{ $text | replace "$window" $window | replace "$labels" (join "," $selector) | toJson }}
  - name: from
    value: -{{ $window }}
  - name: format
    value: json
  jqExpression: |
    if length > 1 then error("the target gives \(length) series: make one of them, as with sumSeries()")
    else [.[]?.datapoints[][0] | numbers] | if length == 0 then null else {{ get $reduce $aggregation }} end end
{{- end }}
