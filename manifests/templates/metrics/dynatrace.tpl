# Any metric selectors of Dynatrace, each reduced to one value over the time.
#
# Values:
#
# dynatraceURL        URL of the environment, required
# dynatraceQueries    metrics by name, each a selector or {query, entitySelector, type: gauge or counter, units, description}.
#                     In a selector $labels stands for eq("a","b"),eq("c","d")
# labels              the dimensions that tell the version from others: name and value
# elapsedTimeSeconds  the time that the metrics are about; iter8 gives it, startingTime changes it
#
# It wants a token with the scope metrics.read in the header Authorization: Api-Token ….
# A selector must give one value at most, as with :splitBy(); none is no value.
#
# Example:
#
# custommetrics:
#   templates: {dynatrace: dynatrace}
#   values:
#     dynatraceURL: https://abc12345.live.dynatrace.com
#     dynatraceQueries:
#       latency-p95: {query: "shop.latency:filter(and($labels)):splitBy():percentile(95)", units: ms}
#   versionValues:
#   - labels: {version: v1}
#   - labels: {version: v2}
{{- $url := get . "dynatraceURL" | default "" | toString }}
{{- if not (regexMatch "^https?://[^/]" $url) }}{{ fail (printf "dynatraceURL: give the URL of the environment, as in https://abc12345.live.dynatrace.com, not %s" (quote $url)) }}{{ end }}
{{- $window := printf "%ds" (max 1 (int (get . "elapsedTimeSeconds"))) }}
{{- $labels := get . "labels" | default (dict) }}
{{- if not (kindIs "map" $labels) }}{{ fail (printf "labels: give a table of names and values, not %s" (toJson $labels)) }}{{ end }}
{{- $selector := list }}
{{- range $name, $value := $labels }}
  {{- if not (regexMatch "^[A-Za-z0-9_.:-]+$" $name) }}{{ fail (printf "labels: `%s` is no name of a dimension" $name) }}{{ end }}
  {{- if or (kindIs "map" $value) (kindIs "slice" $value) (kindIs "invalid" $value) }}{{ fail (printf "labels: give `%s` one text, number or boolean, not %s" $name (toJson $value)) }}{{ end }}
  {{- if regexMatch "[[:cntrl:]]" (toString $value) }}{{ fail (printf "labels: the value of `%s` has a control character" $name) }}{{ end }}
  {{- $text := toString $value | replace "~" "~~" | replace "\"" "~\"" }}
  {{- $selector = append $selector (printf "eq(\"%s\",\"%s\")" $name $text) }}
{{- end }}
{{- $queries := get . "dynatraceQueries" | default (dict) }}
{{- if or (not (kindIs "map" $queries)) (empty $queries) }}{{ fail "dynatraceQueries: give a table of metrics, each with a metric selector of Dynatrace" }}{{ end }}
url: {{ printf "%s/api/v2/metrics/query" (trimSuffix "/" $url) | toJson }}
provider: dynatrace
method: GET
metrics:
{{- range $name, $query := $queries }}
  {{- if not (regexMatch "^[A-Za-z0-9_.-]+$" $name) }}{{ fail (printf "dynatraceQueries: `%s` is no name of a metric: use letters, digits, - . and _" $name) }}{{ end }}
  {{- if kindIs "string" $query }}{{ $query = dict "query" $query }}{{ end }}
  {{- if not (kindIs "map" $query) }}{{ fail (printf "dynatraceQueries.%s: give a metric selector of Dynatrace" $name) }}{{ end }}
  {{- range $key, $ignored := $query }}
    {{- if not (has $key (list "query" "entitySelector" "type" "units" "description")) }}{{ fail (printf "dynatraceQueries.%s: `%s` is unknown: there are query, entitySelector, type, units and description" $name $key) }}{{ end }}
  {{- end }}
  {{- $type := get $query "type" | default "gauge" }}
  {{- if not (has $type (list "gauge" "counter")) }}{{ fail (printf "dynatraceQueries.%s: the type is gauge or counter, not %s" $name (toJson $type)) }}{{ end }}
  {{- $text := get $query "query" }}
  {{- if not (and (kindIs "string" $text) $text) }}{{ fail (printf "dynatraceQueries.%s: query is missing" $name) }}{{ end }}
  {{- if and (contains "$labels" $text) (empty $labels) }}{{ fail (printf "dynatraceQueries.%s uses $labels, and labels is not given" $name) }}{{ end }}
- name: {{ toJson $name }}
  type: {{ $type }}
  {{- with get $query "units" }}
  units: {{ toString . | toJson }}
  {{- end }}
  {{- with get $query "description" }}
  description: {{ toString . | toJson }}
  {{- end }}
  params:
  - name: metricSelector
    value: {{ $text | replace "$labels" (join "," $selector) | toJson }}
  - name: from
    value: now-{{ $window }}
  - name: resolution
    value: Inf
  {{- with get $query "entitySelector" }}
  - name: entitySelector
    value: {{ toString . | toJson }}
  {{- end }}
  jqExpression: |
    [.result[].data[].values[]]
    | if length > 1 then error("the selector gives \(length) values: make one of them, as with :splitBy()") else .[0] end
{{- end }}
