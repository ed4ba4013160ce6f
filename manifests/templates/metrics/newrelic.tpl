# Any queries in NRQL to New Relic, through NerdGraph.
#
# Values:
#
# newrelicURL         URL of NerdGraph; https://api.newrelic.com/graphql by default
# newrelicAccount     number of the account, required
# newrelicQueries     metrics by name, each a text or {query, type: gauge or counter, units, description}.
#                     In a query $window stands for the time, as in 30 seconds, and $labels for `a` = 'b' AND `c` = 'd'
#                     A query without SINCE is about the time, too.
# labels              the labels that tell the version from others: name and value
# elapsedTimeSeconds  the time that the metrics are about; iter8 gives it, startingTime changes it
#
# It wants a user key in the header API-Key.
# A query must give one row with one number at most: no FACET, no TIMESERIES.
#
# Example:
#
# custommetrics:
#   templates: {newrelic: newrelic}
#   values:
#     newrelicURL: https://api.eu.newrelic.com/graphql
#     newrelicAccount: 1234567
#     newrelicQueries:
#       error-rate: SELECT percentage(count(*), WHERE error IS true) / 100 FROM Transaction WHERE $labels
#       latency-p95: {query: "SELECT percentile(duration, 95) FROM Transaction WHERE $labels SINCE $window ago", units: s}
#   versionValues:
#   - labels: {tags.version: v1}
#   - labels: {tags.version: v2}
{{- $url := get . "newrelicURL" | default "https://api.newrelic.com/graphql" | toString }}
{{- if not (regexMatch "^https?://[^/]" $url) }}{{ fail (printf "newrelicURL: give the URL of NerdGraph, as in https://api.eu.newrelic.com/graphql, not %s" (quote $url)) }}{{ end }}
{{- $account := int64 (get . "newrelicAccount") }}
{{- if le $account 0 }}{{ fail "newrelicAccount: give the number of the account" }}{{ end }}
{{- $window := printf "%d seconds" (max 1 (int (get . "elapsedTimeSeconds"))) }}
{{- $labels := get . "labels" | default (dict) }}
{{- if not (kindIs "map" $labels) }}{{ fail (printf "labels: give a table of names and values, not %s" (toJson $labels)) }}{{ end }}
{{- $selector := list }}
{{- range $name, $value := $labels }}
  {{- if not (regexMatch "^[A-Za-z0-9_.:/-]+$" $name) }}{{ fail (printf "labels: `%s` is no name of an attribute" $name) }}{{ end }}
  {{- if or (kindIs "map" $value) (kindIs "slice" $value) (kindIs "invalid" $value) }}{{ fail (printf "labels: give `%s` one text, number or boolean, not %s" $name (toJson $value)) }}{{ end }}
  {{- if regexMatch "[[:cntrl:]]" (toString $value) }}{{ fail (printf "labels: the value of `%s` has a control character" $name) }}{{ end }}
  {{- $text := toString $value | replace "\\" "\\\\" | replace "'" "\\'" }}
  {{- if kindIs "string" $value }}{{ $text = printf "'%s'" $text }}{{ end }}
  {{- $selector = append $selector (printf "`%s` = %s" $name $text) }}
{{- end }}
{{- $queries := get . "newrelicQueries" | default (dict) }}
{{- if or (not (kindIs "map" $queries)) (empty $queries) }}{{ fail "newrelicQueries: give a table of metrics, each with a query in NRQL" }}{{ end }}
url: {{ toJson $url }}
provider: newrelic
method: POST
headers:
  Content-Type: application/json
metrics:
{{- $graphql := "query($account: Int!, $nrql: Nrql!) { actor { account(id: $account) { nrql(query: $nrql) { results } } } }" }}
{{- range $name, $query := $queries }}
  {{- if not (regexMatch "^[A-Za-z0-9_.-]+$" $name) }}{{ fail (printf "newrelicQueries: `%s` is no name of a metric: use letters, digits, - . and _" $name) }}{{ end }}
  {{- if kindIs "string" $query }}{{ $query = dict "query" $query }}{{ end }}
  {{- if not (kindIs "map" $query) }}{{ fail (printf "newrelicQueries.%s: give a query in NRQL" $name) }}{{ end }}
  {{- range $key, $ignored := $query }}
    {{- if not (has $key (list "query" "type" "units" "description")) }}{{ fail (printf "newrelicQueries.%s: `%s` is unknown: there are query, type, units and description" $name $key) }}{{ end }}
  {{- end }}
  {{- $type := get $query "type" | default "gauge" }}
  {{- if not (has $type (list "gauge" "counter")) }}{{ fail (printf "newrelicQueries.%s: the type is gauge or counter, not %s" $name (toJson $type)) }}{{ end }}
  {{- $text := get $query "query" }}
  {{- if not (and (kindIs "string" $text) $text) }}{{ fail (printf "newrelicQueries.%s: query is missing" $name) }}{{ end }}
  {{- if and (contains "$labels" $text) (empty $labels) }}{{ fail (printf "newrelicQueries.%s uses $labels, and labels is not given" $name) }}{{ end }}
- name: {{ toJson $name }}
  type: {{ $type }}
  {{- with get $query "units" }}
  units: {{ toString . | toJson }}
  {{- end }}
  {{- with get $query "description" }}
  description: {{ toString . | toJson }}
  {{- end }}
  {{- $nrql := $text | replace "$window" $window | replace "$labels" (join " AND " $selector) }}
  {{- if not (regexMatch "(?i)\\bSINCE\\b" $text) }}{{ $nrql = printf "%s SINCE %s ago" $nrql $window }}{{ end }}
  body: {{ dict "query" $graphql "variables" (dict "account" $account "nrql" $nrql) | toJson | toJson }}
  jqExpression: |
    if (.errors | length) > 0 then error(.errors[0].message)
    else .data.actor.account.nrql.results
    | if length > 1 then error("the query gives \(length) rows: take FACET or TIMESERIES away")
    else [.[0] | .. | numbers] | if length > 1 then error("the query gives \(length) numbers: select one") else .[0] end end end
{{- end }}
