{{- /* Rules to look at exactly the objects that the task ready waits for; nothing when it names none. The
EndpointSlices of a Service are found by label, which no resourceNames can express. */ -}}
{{- define "iter8.readiness.rules" -}}
{{- $ready := .Values.ready | default dict }}
{{- range $kind := list
  (dict "key" "service" "group" "" "resource" "services")
  (dict "key" "deploy" "group" "apps" "resource" "deployments")
  (dict "key" "ksvc" "group" "serving.knative.dev" "resource" "services")
  (dict "key" "isvc" "group" "serving.kserve.io" "resource" "inferenceservices")
  (dict "key" "chaosengine" "group" "litmuschaos.io" "resource" "chaosengines") }}
{{- with index $ready $kind.key }}
- apiGroups: [{{ $kind.group | quote }}]
  resources: [{{ $kind.resource }}]
  resourceNames: [{{ . | toString | quote }}]
  verbs: [get]
{{- end }}
{{- end }}
{{- if $ready.service }}
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list]
{{- end }}
{{- end }}
