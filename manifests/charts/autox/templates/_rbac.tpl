{{- /* Binds the Role of the same name to the controller. Takes a dict: root, name, namespace. */ -}}
{{- define "autox.binding" }}
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  {{- include "autox.metadata" . | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ .name | quote }}
subjects:
- kind: ServiceAccount
  name: {{ .root.Release.Name | quote }}
  namespace: {{ .root.Release.Namespace | quote }}
{{- end }}

{{- /* The rules for a namespace: to follow the triggers in it, to launch their experiments there, and to give these what they
need. Takes a dict: grants, namespace. */ -}}
{{- define "autox.rules" }}
{{- $triggers := list }}
{{- $targets := list }}
{{- $roles := false }}
{{- range .grants }}
{{- if eq .namespace $.namespace }}
{{- with .trigger }}
{{- $triggers = append $triggers . }}
{{- $roles = true }}
{{- end }}
{{- with .target }}
{{- $targets = append $targets . }}
{{- end }}
{{- if .isElsewhere }}
{{- $roles = true }}
{{- end }}
{{- end }}
{{- end }}
{{- range $triggers | uniq }}
- apiGroups: [{{ .group | quote }}]
  resources: [{{ .resource | quote }}]
  verbs: [get, list, watch]
{{- end }}
{{- if $triggers }}
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch, create, update, patch, delete]
- apiGroups: [""]
  resources: [serviceaccounts]
  verbs: [get, list, create, patch, delete]
- apiGroups: [batch]
  resources: [jobs, cronjobs]
  verbs: [get, list, create, patch, delete]
{{- end }}
{{- if $roles }}
- apiGroups: [rbac.authorization.k8s.io]
  resources: [roles, rolebindings]
  verbs: [get, list, create, patch, delete]
{{- end }}
{{- include "iter8.readiness.rules" ($targets | uniq) }}
{{- end }}
