{{- /* The spec of a Job, with its pod. */ -}}
{{- define "iter8.job" -}}
backoffLimit: 0
{{- /* By way of a float: as an integer, the text "1e3" would be 0, and "0600" octal. */}}
{{- if not (kindIs "invalid" .Values.activeDeadlineSeconds) }}
activeDeadlineSeconds: {{ float64 .Values.activeDeadlineSeconds | int64 }}
{{- end }}
{{- if not (kindIs "invalid" .Values.ttlSecondsAfterFinished) }}
ttlSecondsAfterFinished: {{ float64 .Values.ttlSecondsAfterFinished | int64 }}
{{- end }}
template:
  metadata:
    labels:
      {{- $labels := include "iter8.labels" (dict "root" . "component" "experiment") }}
      {{- $labels | nindent 6 }}
      {{- range $key, $value := .Values.podLabels }}
      {{- if not (hasKey (fromYaml $labels) $key) }}
      {{ $key | quote }}: {{ $value | toString | quote }}
      {{- end }}
      {{- end }}
    annotations:
      {{- /* A proxy that is a native sidecar ends with the agent; any other would keep the pod alive. */ -}}
      {{- $annotations := dict "sidecar.istio.io/nativeSidecar" "true" "config.linkerd.io/proxy-enable-native-sidecar" "true" }}
      {{- range $key, $value := merge (.Values.podAnnotations | default dict | deepCopy) $annotations }}
      {{ $key | quote }}: {{ $value | toString | quote }}
      {{- end }}
  spec:
    {{- include "iter8.pod" . | nindent 4 }}
{{- end }}

{{- define "iter8.pod" -}}
serviceAccountName: {{ .Values.serviceAccountName | default (include "iter8.rbac" .) | quote }}
automountServiceAccountToken: true
enableServiceLinks: false
restartPolicy: Never
terminationGracePeriodSeconds: 30
{{- with .Values.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . | toString | quote }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- range $key, $value := . }}
  {{ $key | quote }}: {{ $value | toString | quote }}
  {{- end }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
containers:
- name: iter8
  image: {{ coalesce .Values.iter8Image .Values.image | quote }}
  {{- with .Values.imagePullPolicy }}
  imagePullPolicy: {{ . }}
  {{- end }}
  args:
  - run
  - --experiment
  - /etc/iter8/experiment.yaml
  - --result-secret
  - {{ include "iter8.result" . | quote }}
  - --namespace
  - {{ .Release.Namespace | quote }}
  - --group
  - {{ .Release.Name | quote }}
  - --revision
  - {{ .Release.Revision | quote }}
  - --log-level
  - {{ .Values.logLevel | quote }}
  {{- if eq .Values.runner "cronjob" }}
  - --loop
  {{- end }}
  {{- with .Values.resources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities:
      drop: [ALL]
  terminationMessagePolicy: FallbackToLogsOnError
  volumeMounts:
  - name: experiment
    mountPath: /etc/iter8
    readOnly: true
  - name: tmp
    mountPath: /tmp
  {{- range $number, $secret := include "iter8.secrets" . | fromJsonArray }}
  - name: secret-{{ $number }}
    mountPath: {{ printf "/etc/iter8-secrets/%s" $secret | quote }}
    readOnly: true
  {{- end }}
volumes:
- name: experiment
  secret:
    secretName: {{ include "iter8.spec" . | quote }}
- name: tmp
  emptyDir: {}
{{- /* Optional, so that a pod starts without one and the agent says what is missing. */ -}}
{{- range $number, $secret := include "iter8.secrets" . | fromJsonArray }}
- name: secret-{{ $number }}
  secret:
    secretName: {{ $secret | quote }}
    optional: true
{{- end }}
{{- end }}

{{- /* The Secrets that the inputs of the tasks refer to, as a list in JSON. */ -}}
{{- define "iter8.secrets" -}}
{{- $names := list }}
{{- range $task := .Values.tasks | uniq }}
{{- with index $.Values (toString $task) }}
{{- $names = concat $names (include "iter8.secrets.in" (dict "at" "" "inputs" .) | splitList "\n") }}
{{- end }}
{{- end }}
{{- $names | compact | uniq | sortAlpha | toJson }}
{{- end }}

{{- /* Those of some inputs that stand under a key, one in a line: a credential names a Secret and a key, settings of TLS a
Secret. What users name themselves is never taken for one, and data of their own are not searched. */ -}}
{{- define "iter8.secrets.in" -}}
{{- if kindIs "map" .inputs }}
{{- if has .at (list "headers" "fetchHeaders" "env" "metadata" "reflect-metadata" "endpoints" "providers") }}
{{- range $inputs := values .inputs }}
{{- include "iter8.secrets.in" (dict "at" "" "inputs" $inputs) }}
{{- end }}
{{- else }}
{{- $secret := get .inputs "secret" }}
{{- if and (or (eq .at "tls") (hasKey .inputs "key")) (not (kindIs "map" $secret)) (not (kindIs "slice" $secret)) (not (kindIs "invalid" $secret)) }}
{{- toString $secret | trim }}{{ "\n" }}
{{- end }}
{{- range $key, $inputs := omit .inputs "data" "values" "versionValues" "SLOs" }}
{{- include "iter8.secrets.in" (dict "at" $key "inputs" $inputs) }}
{{- end }}
{{- end }}
{{- else if kindIs "slice" .inputs }}
{{- range .inputs }}
{{- include "iter8.secrets.in" (dict "at" "" "inputs" .) }}
{{- end }}
{{- end }}
{{- end }}
