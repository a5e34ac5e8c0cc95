"""Examples of the specification that the API supports: whole objects, and fragments of a FrappeBench or FrappeSite.

Names and values are those of the specification.
"""

WHOLE = {
    "bench": """\
apiVersion: vyogo.tech/v1alpha1
kind: FrappeBench
metadata:
  name: production-bench
spec:
  frappeVersion: "version-15"
  appsJSON: '["erpnext", "hrms"]'
""",
    "site": """\
apiVersion: vyogo.tech/v1alpha1
kind: FrappeSite
metadata:
  name: customer1-site
spec:
  benchRef:
    name: production-bench
  siteName: "customer1.example.com"
""",
    "connection": """\
apiVersion: v1
kind: Secret
metadata:
  name: site1-db-credentials
stringData:
  host: "mysql.example.com"
  port: "3306"
  database: "site1_db"
  username: "site1_user"
  password: "secure_password"
""",
}

OF_BENCH = {
    "suffix": """\
spec:
  domainConfig:
    suffix: ".platform.com"
""",
    "pull secrets": """\
spec:
  imageConfig:
    pullSecrets:
      - name: docker-registry-secret
""",
}

OF_SITE = {
    "external database": """\
spec:
  dbConfig:
    mode: external
    connectionSecretRef:
      name: site1-db-credentials
""",
    "dedicated database": """\
spec:
  dbConfig:
    mode: dedicated
    storageSize: 50Gi
    resources:
      requests:
        cpu: 1000m
        memory: 2Gi
""",
    "shared database": """\
spec:
  dbConfig:
    mode: shared
""",
    "explicit domain": """\
spec:
  siteName: "mysite"
  domain: "mysite.example.com"
""",
    "name below a suffix": """\
spec:
  siteName: "customer1"
""",
}

OF_BOTH = {
    "autoscaling": """\
spec:
  componentHPA:
    gunicorn:
      enabled: true
      minReplicas: 2
      maxReplicas: 10
      targetCPUUtilization: 70
""",
    "small": """\
spec:
  componentResources:
    gunicorn:
      requests: {cpu: "200m", memory: "256Mi"}
      limits: {cpu: "500m", memory: "512Mi"}
    workerDefault:
      requests: {cpu: "100m", memory: "128Mi"}
""",
    "medium": """\
spec:
  componentResources:
    gunicorn:
      requests: {cpu: "500m", memory: "512Mi"}
      limits: {cpu: "1", memory: "1Gi"}
    workerDefault:
      requests: {cpu: "200m", memory: "256Mi"}
""",
    "large": """\
spec:
  componentResources:
    gunicorn:
      requests: {cpu: "1", memory: "2Gi"}
      limits: {cpu: "2", memory: "4Gi"}
    workerDefault:
      requests: {cpu: "500m", memory: "1Gi"}
""",
}
