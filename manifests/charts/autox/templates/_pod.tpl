{{- /* By way of a float: as an integer, the text "1e1" would be 0. */ -}}
{{- define "autox.replicas" -}}
{{- if kindIs "invalid" .Values.replicas }}1{{ else }}{{ float64 .Values.replicas | int64 }}{{ end }}
{{- end }}

{{- define "autox.pod" -}}
serviceAccountName: {{ .Release.Name | quote }}
automountServiceAccountToken: true
enableServiceLinks: false
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
- name: autox
  image: {{ required "image is not set" .Values.image | quote }}
  {{- with .Values.imagePullPolicy }}
  imagePullPolicy: {{ . }}
  {{- end }}
  args:
  - autox
  - --name
  - {{ .Release.Name | quote }}
  - --namespace
  - {{ .Release.Namespace | quote }}
  - --config-secret
  - {{ include "autox.config" . | quote }}
  - --listen
  - "0.0.0.0:8080"
  - --log-level
  - {{ .Values.logLevel | default "info" | quote }}
  env:
  - name: POD_NAME
    valueFrom:
      fieldRef:
        fieldPath: metadata.name
  ports:
  - name: metrics
    containerPort: 8080
    protocol: TCP
  livenessProbe:
    httpGet:
      path: /livez
      port: metrics
    periodSeconds: 10
    timeoutSeconds: 5
    failureThreshold: 6
  readinessProbe:
    httpGet:
      path: /readyz
      port: metrics
    periodSeconds: 5
    timeoutSeconds: 5
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
{{- end }}
