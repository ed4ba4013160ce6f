# Counts and aggregations of documents in Elasticsearch or OpenSearch.
#
# Values:
#
# elasticsearchURL     URL of Elasticsearch, required
# elasticsearchIndex   the index, or a pattern of several, required
# elasticsearchTime    the field with the time of a document; @timestamp by default
# elasticsearchQueries metrics by name, each {filter, aggregation, type: gauge or counter, units, description}:
#                      without an aggregation the number of documents that the filter takes; without a filter all.
#                      Filters and aggregations are those of the Query DSL.
# labels               the fields that tell the version from others: name and value
# elapsedTimeSeconds   the time that the metrics are about; iter8 gives it, startingTime changes it
#
# It may want a key in the header Authorization: ApiKey ….
# Where no document of the version is found there is no value, rather than 0.
#
# Example:
#
# custommetrics:
#   templates: {elasticsearch: elasticsearch}
#   values:
#     elasticsearchURL: https://elasticsearch.logging:9200
#     elasticsearchIndex: logs-*
#     elasticsearchQueries:
#       error-count: {filter: {range: {http.status: {gte: 500}}}, type: counter}
#       latency-p95: {aggregation: {percentiles: {field: duration_ms, percents: [95]}}, units: ms}
#   versionValues:
#   - labels: {service.version: v1}
#   - labels: {service.version: v2}
{{- $url := get . "elasticsearchURL" | default "" | toString }}
{{- if not (regexMatch "^https?://[^/]" $url) }}{{ fail (printf "elasticsearchURL: give the URL of Elasticsearch, as in https://elasticsearch:9200, not %s" (quote $url)) }}{{ end }}
{{- if not (and (kindIs "string" (get . "elasticsearchIndex")) (get . "elasticsearchIndex")) }}{{ fail "elasticsearchIndex: give the index, or a pattern of several" }}{{ end }}
{{- if regexMatch "[/?#%[:space:]]" (get . "elasticsearchIndex") }}{{ fail "elasticsearchIndex: an index has no blank and none of / ? # %" }}{{ end }}
{{- $window := printf "%ds" (max 1 (int (get . "elapsedTimeSeconds"))) }}
{{- $labels := get . "labels" | default (dict) }}
{{- if not (kindIs "map" $labels) }}{{ fail (printf "labels: give a table of names and values, not %s" (toJson $labels)) }}{{ end }}
{{- $time := get . "elasticsearchTime" | default "@timestamp" | toString }}
{{- $of := list (dict "range" (dict $time (dict "gte" (printf "now-%s" $window)))) }}
{{- range $name, $value := $labels }}
  {{- if or (kindIs "map" $value) (kindIs "slice" $value) (kindIs "invalid" $value) }}{{ fail (printf "labels: give `%s` one text, number or boolean, not %s" $name (toJson $value)) }}{{ end }}
  {{- $of = append $of (dict "term" (dict $name (dict "value" $value))) }}
{{- end }}
{{- $queries := get . "elasticsearchQueries" | default (dict) }}
{{- if or (not (kindIs "map" $queries)) (empty $queries) }}{{ fail "elasticsearchQueries: give a table of metrics, each with an aggregation or a filter" }}{{ end }}
url: {{ printf "%s/%s/_search" (trimSuffix "/" $url) (get . "elasticsearchIndex") | toJson }}
provider: elasticsearch
method: POST
headers:
  Content-Type: application/json
metrics:
{{- range $name, $query := $queries }}
  {{- if not (regexMatch "^[A-Za-z0-9_.-]+$" $name) }}{{ fail (printf "elasticsearchQueries: `%s` is no name of a metric: use letters, digits, - . and _" $name) }}{{ end }}
  {{- if not (kindIs "map" $query) }}{{ fail (printf "elasticsearchQueries.%s: give an aggregation or a filter" $name) }}{{ end }}
  {{- range $key, $ignored := $query }}
    {{- if not (has $key (list "aggregation" "filter" "type" "units" "description")) }}{{ fail (printf "elasticsearchQueries.%s: `%s` is unknown: there are aggregation, filter, type, units and description" $name $key) }}{{ end }}
  {{- end }}
  {{- $type := get $query "type" | default "gauge" }}
  {{- if not (has $type (list "gauge" "counter")) }}{{ fail (printf "elasticsearchQueries.%s: the type is gauge or counter, not %s" $name (toJson $type)) }}{{ end }}
  {{- $filter := get $query "filter" | default (dict "match_all" (dict)) }}
  {{- $aggregation := get $query "aggregation" }}
  {{- if not (kindIs "map" $filter) }}{{ fail (printf "elasticsearchQueries.%s: the filter must be one of the Query DSL, as in {term: {level: error}}" $name) }}{{ end }}
  {{- $metric := dict "filter" $filter }}
  {{- if $aggregation }}
    {{- if not (kindIs "map" $aggregation) }}{{ fail (printf "elasticsearchQueries.%s: the aggregation must be one of the Query DSL, as in {avg: {field: ms}}" $name) }}{{ end }}
    {{- $metric = dict "filter" $filter "aggs" (dict "value" $aggregation) }}
  {{- end }}
  {{- $body := dict "size" 0 "track_total_hits" true "query" (dict "bool" (dict "filter" $of)) "aggs" (dict "metric" $metric) }}
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
    if .timed_out then error("the search timed out, its answer is not whole")
    elif (._shards.failed // 0) > 0 then error("\(._shards.failed) shards failed, the answer is not whole")
    elif (.hits.total | if type == "object" then .value else . end) == 0 then null
    else .aggregations.metric | if has("value") | not then .doc_count
    elif .doc_count == 0 then null
    else .value | if has("values") then [.values[] | if type == "object" then .value else . end][0] else .value end end end
{{- end }}
