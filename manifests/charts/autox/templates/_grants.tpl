{{- /* What the controller needs outside of its own objects, as JSON: a list of {namespace, trigger: {group, resource}} for each
trigger, and of {namespace, target, isElsewhere} for each object that an experiment waits for. The controller may give an
experiment only the permissions that it has itself. */ -}}
{{- define "autox.grants" -}}
{{- $grants := list }}
{{- range $name, $group := .Values.groups }}
{{- $trigger := $group.trigger }}
{{- $home := toString $trigger.namespace }}
{{- $resource := dict "group" ($trigger.group | default "" | toString) "resource" (toString $trigger.resource) }}
{{- $grants = append $grants (dict "namespace" $home "trigger" $resource) }}
{{- range $spec, $experiment := $group.specs }}
{{- $values := $experiment.values | default dict }}
{{- if and (kindIs "slice" $values.tasks) (kindIs "map" $values.ready) (not $values.serviceAccountName) }}
{{- if has "ready" $values.tasks }}
{{- $ready := include "autox.filled" (dict "value" $values.ready "trigger" $trigger) | fromJson }}
{{- $root := dict "Values" (dict "ready" $ready) "Release" (dict "Namespace" $home) }}
{{- range include "iter8.readiness.targets" $root | fromJsonArray }}
{{- if include "autox.refers" (list .namespace .group .resource | toJson) }}
{{- fail (printf "groups.%s.specs.%s.values.ready refers to the trigger in a namespace, a group or a resource: use only {{ .trigger.name }} and {{ .trigger.namespace }} there, because the permission to look is given before a trigger is seen" $name $spec) }}
{{- end }}
{{- $target := omit . "namespace" }}
{{- if include "autox.refers" .name }}
{{- $target = dict "group" .group "resource" .resource "endpoints" .endpoints "any" true }}
{{- end }}
{{- $grants = append $grants (dict "namespace" .namespace "target" $target "isElsewhere" (ne .namespace $home)) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- toJson $grants }}
{{- end }}

{{- /* A value as JSON, with the trigger's name and namespace filled in. Takes a dict: value, trigger. */ -}}
{{- define "autox.filled" -}}
{{- $text := toJson .value }}
{{- range $key := list "name" "namespace" }}
{{- $filled := index $.trigger $key | toString | toJson | trimPrefix "\"" | trimSuffix "\"" }}
{{- $text = regexReplaceAllLiteral (printf "\\{\\{(- )?\\s*\\.trigger\\.%s\\s*( -)?\\}\\}" $key) $text $filled }}
{{- end }}
{{- $text }}
{{- end }}

{{- /* Not empty when a text refers to the trigger. */ -}}
{{- define "autox.refers" -}}
{{- if regexMatch "\\{\\{(- )?\\s*(index\\s+)?\\.trigger\\b" . }}true{{ end }}
{{- end }}
