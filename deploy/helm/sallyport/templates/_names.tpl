{{- define "sallyport.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 63 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" }}{{ end -}}
{{- end }}

{{- define "sallyport.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "sallyport.labels" -}}
{{ include "sallyport.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "sallyport.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "sallyport.name" .) }}{{ else }}{{ .Values.serviceAccount.name | default "default" }}{{ end -}}
{{- end }}

{{- /* Whether PostgreSQL holds the state. A `${NAME}` hides what it stands for, so it is taken at its word. */ -}}
{{- define "sallyport.isShared" -}}
{{- $url := ((.Values.config.store | default dict).url | default "") -}}
{{- if or (hasPrefix "postgres://" $url) (hasPrefix "postgresql://" $url) (hasPrefix "${" $url) }}yes{{ end -}}
{{- end }}

{{- define "sallyport.guard" -}}
{{- if and (gt (int .Values.replicas) 1) (not (include "sallyport.isShared" .)) -}}
{{- fail "replicas: more than one gateway needs PostgreSQL: set config.store.url to a postgres:// address. On SQLite each would count and record for itself." -}}
{{- end -}}
{{- end }}
