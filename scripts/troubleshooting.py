"""The page docs/troubleshooting.md: every reason with its meaning, its messages, how to check it and what to do.

The messages are found in the source (`scripts/messages.py`); the explanations are written here. A reason without an
explanation, or an explanation without a reason, fails `tests/docs/test_troubleshooting.py`.
"""

from typing import NamedTuple

from scripts import messages

DESCRIBE_PODS = "kubectl describe pods --selector=vyogo.tech/site=SITE     # of a bench: vyogo.tech/bench=BENCH"
LIST_PODS = "kubectl get pods --selector=vyogo.tech/site=SITE     # of a bench: vyogo.tech/bench=BENCH"
PREVIOUS_LOG = "kubectl logs POD --container=CONTAINER --previous"
JOBS = "kubectl get jobs,pods --selector=vyogo.tech/site=SITE     # of a bench: vyogo.tech/bench=BENCH"
JOB_LOG = "kubectl logs job/JOB"
CLAIMS = "kubectl get pvc,storageclass"
SITES = "kubectl get fs --all-namespaces -o wide"
BENCH = "kubectl get fb BENCH -o yaml     # status.conditions"
OPERATOR_LOG = "kubectl logs deployment/frappe-operator --namespace=frappe-operator"
MARIADB = "kubectl get pods,pvc --selector=vyogo.tech/bench=BENCH,vyogo.tech/component=mariadb"


class Explanation(NamedTuple):
    """What a reason means to a person."""

    meaning: str
    check: tuple[str, ...]
    """Commands; NAMES in capitals are to be replaced."""
    action: str


TRUE: dict[str, Explanation] = {
    "Ready": Explanation("What the condition is about is as declared.", (), "Nothing."),
    "Succeeded": Explanation("Work that is done once is done.", (), "Nothing."),
    "NotNeeded": Explanation("Nothing in the spec needs what the condition is about.", (), "Nothing."),
}
IN_PROGRESS: dict[str, Explanation] = {
    "Waiting": Explanation(
        "Something else has to happen first; the message names it.",
        ("kubectl get fs SITE -o yaml     # the condition that the message names",),
        "Look at the condition or object that the message names. An object without the label that the message names was "
        "created by somebody else: delete it, or add the label.",
    ),
    "Provisioning": Explanation(
        "Objects have been created, and the cluster is working on them.",
        (LIST_PODS,),
        "Wait. Pulling images takes minutes.",
    ),
    "JobRunning": Explanation(
        "A Job is at work: it inspects an image, or creates, configures or extends a site.",
        (JOBS, JOB_LOG),
        "Wait. Creating a site with ERPNext takes a few minutes. The log of the Job shows each step.",
    ),
    "RollingOut": Explanation(
        "A new pod template is being rolled out. The pods of the earlier one serve until the new ones are ready.",
        (LIST_PODS,),
        "Wait. An earlier worker finishes its job first, which may take up to 26 minutes.",
    ),
    "PodsNotReady": Explanation(
        "Fewer pods are ready than declared, and no cause has been found in their status yet.",
        (LIST_PODS, DESCRIBE_PODS),
        "Wait for a minute. If it lasts, `kubectl describe` shows events that the operator does not read, such as a volume "
        "that cannot be mounted (`FailedMount`).",
    ),
    "ClaimPending": Explanation(
        "A PersistentVolumeClaim is not bound to a volume.",
        (CLAIMS, "kubectl describe pvc CLAIM"),
        "Wait if the provisioner is at work. If the claim has lost its volume, restore the volume. Deleting the claim deletes "
        "its data.",
    ),
    "BenchNotReady": Explanation(
        "The bench lacks something that the site needs. The site continues once the bench has it.",
        (BENCH,),
        "Look at the condition of the bench that the message names.",
    ),
    "RouteNotServed": Explanation(
        "Not every replica of the bench's proxy knows the host names of the site yet.",
        (
            "kubectl get pods --selector=vyogo.tech/bench=BENCH,vyogo.tech/component=nginx",
            "kubectl logs deployment/BENCH-nginx",
        ),
        "Wait: a change of the proxy's map reaches its pods within about a minute. If nginx refused an entry, its log names the "
        "entry.",
    ),
    "NotAnswering": Explanation(
        "The site does not answer `GET /api/method/ping` through the bench's proxy with 200, although its pods are available.",
        ("kubectl logs deployment/SITE-gunicorn --container=gunicorn     # or --container=nginx, in front of it",),
        "Act by the HTTP status in the message. 500: the log of gunicorn has the traceback, most often of the database. 503: end "
        "maintenance mode with `set-maintenance-mode off`. 502 and 504: the web pods do not answer, or not in time.",
    ),
    "Deleting": Explanation(
        "The object is being deleted, and something has to end before.",
        (LIST_PODS,),
        "Wait. A worker finishes its job first, which may take up to 26 minutes. Deleting its pod with `--grace-period=0 --force` "
        "interrupts that job.",
    ),
    "SitesRemain": Explanation(
        "A bench is not deleted while sites use it.",
        ("kubectl get fs",),
        "Delete the FrappeSites that the message names, or keep the bench.",
    ),
    "SiteBusy": Explanation(
        "Another pod is working on the same site, such as one of an interrupted Job that has not ended yet.",
        (JOBS,),
        "Wait. If the other pod hangs, delete it.",
    ),
    "UpgradeRunning": Explanation(
        "A pod or Job of the site waits while the site is being upgraded. It continues by itself afterwards.",
        (JOBS,),
        "Wait. If the upgrade does not end, look at the log of its Job.",
    ),
    "ReleaseMismatch": Explanation(
        "A pod has other versions of the apps than the site's database was last migrated to, so it does not start.",
        (JOBS, DESCRIBE_PODS),
        "Wait for the upgrade of the site. If an image was replaced under the same tag, name it by its digest.",
    ),
    "SiteNotCreated": Explanation(
        "A Job needs a site that has not been created yet.", (JOBS,), "Wait for `SiteCreated`, and act on its message."
    ),
    "Interrupted": Explanation(
        "The pod of a Job was stopped before the Job was done: by a drained node, an eviction or the memory limit.",
        (JOBS, DESCRIBE_PODS),
        "Nothing: the Job continues in another pod. Every Job can be interrupted at any point.",
    ),
    "JobRetrying": Explanation(
        "A Job has failed and is retried, at most every five minutes.",
        (JOBS, JOB_LOG),
        "Act on the message, which is the last one of the Job. After five failures `Stalled` is true, and the Job is still retried.",
    ),
    "CreationFailed": Explanation(
        "Frappe's `new-site`, or enabling the scheduler, has failed. It is retried from a clean state.",
        (JOBS, "kubectl logs job/SITE-create"),
        "Act on the last line in the message; the log has all of them. If memory ran out, raise "
        "`componentResources.jobs.limits.memory`.",
    ),
    "GitUnreachable": Explanation(
        "The server with the repository of an app does not answer. The Job tries again within five minutes.",
        (JOB_LOG,),
        "Check that pods of the namespace reach the server: DNS, egress rules, a proxy.",
    ),
    "IndexUnreachable": Explanation(
        "The index of Python or npm packages does not answer. The Job tries again within five minutes.",
        (JOB_LOG,),
        "Check that pods of the namespace reach the index: DNS, egress rules, a proxy.",
    ),
    "InstallationFailed": Explanation(
        "Frappe's `install-app` has failed. It is retried, with `--force` for an app that was half-installed.",
        (JOBS, JOB_LOG),
        "Act on the last line in the message. An app that does not install needs another version of the app, or of Frappe, in "
        "the image. If memory ran out, raise `componentResources.jobs.limits.memory`.",
    ),
    "DumpFailed": Explanation(
        "A dump of the site's database is not complete, or is damaged.",
        (JOBS, JOB_LOG),
        "Nothing if it could not be written to its end: it is retried. A dump that is damaged is never restored: look at the "
        "site's volume, and restore a backup into the database if the message says that it is half-changed.",
    ),
    "TemplateUnfit": Explanation(
        "A template for new sites cannot be made or used: `status.templates` of the bench, or the log of the Job that creates "
        "a site, says why. Sites are created by Frappe itself, which takes minutes instead of seconds; nothing else is wrong.",
        (JOBS, JOB_LOG),
        "Nothing is required. To have the template made again, delete the Job `<bench>-template-<key>`. Apps that store a secret "
        "or create files when they are installed have no template.",
    ),
}
SERVERS: dict[str, Explanation] = {
    "DatabaseUnavailable": Explanation(
        "The MariaDB server of the site does not answer.",
        (MARIADB, "kubectl logs BENCH-mariadb-0"),
        "For the bench's MariaDB, look at its pod. For an external one, check that host and port in the connection Secret are "
        "reachable from the cluster. Sites continue by themselves once the server answers.",
    ),
    "DatabaseRefused": Explanation(
        "The database server answers, but refuses the login or is not usable for Frappe.",
        ("kubectl get secret SECRET -o yaml",),
        "Do what the message says: it contains the SQL statement to run where one is missing. MySQL is not supported.",
    ),
    "DatabaseNotEmpty": Explanation(
        "The database of a new site contains tables, or belongs to another site. Nothing was changed.",
        (SITES, CLAIMS),
        "Name an empty database. If the data is this site's own, put back the volume that belongs to it. To use retained data "
        "again, create the FrappeSite with the same name and the `siteName` that the message names.",
    ),
    "DatabaseLost": Explanation(
        "The site exists on its volume, but its database contains no site. A running site keeps its present connection.",
        (MARIADB, "kubectl get secret SECRET -o yaml"),
        "Correct the connection Secret, or restore the site's backup into the database. Removing the file that the message names "
        "starts with an empty site.",
    ),
    "RedisUnavailable": Explanation(
        "A Redis server of the bench does not answer.",
        (
            "kubectl get pods --selector=vyogo.tech/bench=BENCH",
            "kubectl logs BENCH-redis-queue-0     # and BENCH-redis-cache-0",
        ),
        "Look at the pod of the server. A site with `deletionPolicy: Delete` waits for it to remove its keys; deleting the "
        "StatefulSet of the server ends the wait, and loses its data.",
    ),
}
PODS: dict[str, Explanation] = {
    "Unschedulable": Explanation(
        "No node can run a pod. After two minutes `Stalled` is true.",
        (DESCRIBE_PODS, "kubectl describe nodes"),
        "Add nodes, or lower `componentResources`. With ReadWriteOnce volumes all pods that share a volume need room on the same "
        "node.",
    ),
    "ImagePullFailed": Explanation(
        "The image of a container cannot be pulled. `Stalled` is true if the registry says that it does not exist or refuses "
        "access.",
        (DESCRIBE_PODS,),
        "Correct the image (`imageConfig`, `redisConfig.image`, `databaseConfig.image`, or the options of the operator), or name "
        "registry credentials in `imageConfig.pullSecrets`.",
    ),
    "ContainerConfigError": Explanation(
        "A container cannot be created: it refers to a Secret, a ConfigMap or a key that does not exist.",
        (DESCRIBE_PODS, "kubectl get secrets,configmaps"),
        "Restore the object or key that the message names.",
    ),
    "QuotaExceeded": Explanation(
        "A ResourceQuota of the namespace rejects a pod.",
        ("kubectl describe resourcequota",),
        "Raise the quota, or lower replicas and resources.",
    ),
    "CrashLoop": Explanation(
        "A container terminates again and again. The message has its exit code and last lines.",
        (LIST_PODS, PREVIOUS_LOG),
        "Act on the last lines; the log has all of them. A container that has just been restarted counts as stable at the time "
        "that the message names.",
    ),
    "OOMKilled": Explanation(
        "A container exceeded its memory limit and was killed.",
        (DESCRIBE_PODS, "kubectl top pods"),
        "Raise `limits.memory` of the component in `componentResources` (for the bench's MariaDB: `databaseConfig.resources`).",
    ),
}
USER: dict[str, Explanation] = {
    "InvalidSpec": Explanation(
        "The spec contradicts itself, the bench's spec, or a rule that was added after the object was created. Existing objects "
        "are kept as they are.",
        ("frappe-operator validate FILE",),
        "Change the field that the message names.",
    ),
    "BenchNotFound": Explanation(
        "The FrappeBench that `benchRef` names does not exist in the namespace of the site.",
        ("kubectl get fb",),
        "Create the bench. `benchRef` is immutable: to correct it, delete the FrappeSite and create it again; its data is kept by "
        "default.",
    ),
    "BenchDeleting": Explanation(
        "The bench is being deleted and accepts no new sites.",
        ("kubectl get fb BENCH -o yaml",),
        "Create the site on another bench.",
    ),
    "SecretNotFound": Explanation(
        "A Secret that the site needs does not exist.",
        ("kubectl get secret SECRET",),
        "Create it as the message says. A generated Administrator password that was lost is not generated again, because it may "
        "have been changed in Frappe: the message has the command that sets a new one.",
    ),
    "SecretInvalid": Explanation(
        "A Secret lacks a key, or a value cannot be used.",
        ("kubectl get secret SECRET -o yaml     # values are encoded with base64",),
        "Correct the key that the message names. `kubectl create secret --from-file` and `echo` add a line break, which is "
        "accepted at the end of a value only.",
    ),
    "AppUnknown": Explanation(
        "An app of the bench is neither in its image nor an official app whose repository is known.",
        ("kubectl get fb BENCH -o jsonpath='{.spec.apps}{.spec.appsJSON}'",),
        "Correct the name, or say where the app is: `gitUrl` in `apps`, `url` in `appsJSON`.",
    ),
    "AppInvalid": Explanation(
        "The repository was fetched, but what it contains is not the app that the bench names.",
        (JOBS, JOB_LOG),
        "Correct the name of the app, which is that of its Python package, or the URL, branch or version.",
    ),
    "AppRequired": Explanation(
        "An app that is built into a layer needs another app.",
        (JOB_LOG,),
        "Add the app that the message names to the apps of the bench.",
    ),
    "GitForbidden": Explanation(
        "An app would have to be fetched with git, which `gitConfig.enabled: false` of the bench or a setting of the "
        "operator forbids.",
        ("kubectl get fb BENCH -o jsonpath='{.status.image.apps}'",),
        "Use an image that contains the app (`imageConfig`), or allow git.",
    ),
    "GitRefused": Explanation(
        "The repository of an app does not exist, or the server refuses the login, or cannot be trusted.",
        (JOBS, JOB_LOG),
        "Correct the URL, or the Secret in `authSecretRef`: `username` and `password`, or `token`, for https; "
        "`ssh-privatekey` and `known_hosts` for ssh; `ca.crt` for a server with a certificate of your own authority.",
    ),
    "GitRefNotFound": Explanation(
        "The repository of an app does not have the branch or tag.",
        (JOB_LOG,),
        "Correct `gitBranch` or `version`. The message names branches that exist.",
    ),
    "DependencyUnavailable": Explanation(
        "A Python or npm package that an app needs cannot be installed: there is no wheel for the Python of the image, it "
        "contradicts a package of the image, or it does not come from a package index. Nothing is compiled, and nothing of "
        "the image is replaced.",
        (JOB_LOG,),
        "Use another version of the app, or build an image that contains app and package.",
    ),
    "AssetsFailed": Explanation(
        "The bundler of the image cannot build the bundles of an app.",
        (JOB_LOG,),
        "Act on the last lines in the message: use another version of the app, or an image that contains it.",
    ),
    "LayerMissing": Explanation(
        "A layer that the bench recorded is not on its common storage.",
        ("kubectl get fb BENCH -o jsonpath='{.status.layers}'", JOBS),
        "Delete the Job of the bench that the message means (its name ends in the key of the layer), so that it runs again.",
    ),
    "AppNotInImage": Explanation(
        "An app of the spec is not in the image of the bench. Sites keep running the image that has their apps.",
        ("kubectl get fb BENCH -o jsonpath='{.status.image.apps}'",),
        "Remove the app from the spec, or use an image that contains it (`imageConfig`).",
    ),
    "NameConflict": Explanation(
        "An object with the name of a child object exists and does not belong to this bench or site. It is never changed.",
        ("kubectl get KIND NAME -o yaml     # ownerReferences, labels",),
        "Delete or rename it, label it if the message says so, or choose another name for the bench or site.",
    ),
    "HostTaken": Explanation(
        "Another FrappeSite had one of the host names first. The site is not routed.",
        (SITES,),
        "Choose another `domain` or alias, or delete the other site.",
    ),
    "CertificatePending": Explanation(
        "cert-manager has not written the Secret with the certificate of the site yet.",
        ("kubectl get certificates,challenges -n NAMESPACE", "kubectl describe certificate -n NAMESPACE NAME"),
        "Wait a minute. If it stays, the description names the cause: often the host name does not lead to the cluster yet, or "
        "the issuer does not exist.",
    ),
    "CertificateFailed": Explanation(
        "cert-manager could not issue the certificate of the site. It tries again after an hour, and then less and less often.",
        ("kubectl describe certificate -n NAMESPACE NAME", "kubectl get certificaterequests,orders -n NAMESPACE"),
        "Mend what the message names. To have cert-manager try again at once, delete the failed CertificateRequest, or use "
        "`cmctl renew`.",
    ),
    "ListenerPending": Explanation(
        "The Gateway accepts ListenerSets by its spec, and its controller has not programmed that of the site yet.",
        ("kubectl get listenerset SITE -o yaml     # status", "kubectl get gatewayclass"),
        "Wait a minute. If it stays, the controller of the GatewayClass does not know ListenerSets: remove `allowedListeners` "
        "from the Gateway, and name the Secret in `certificateRefs` of its own listener.",
    ),
    "ListenerRefused": Explanation(
        "A listener does not present the certificate of the site: one of its ListenerSet, or the Gateway's own.",
        ("kubectl get listenerset SITE -o yaml     # status", "kubectl get gateway -n NAMESPACE NAME -o yaml"),
        "The message says what is missing: consent of the Gateway (`allowedListeners`), a ReferenceGrant, or a Secret. The "
        "site is served over http meanwhile.",
    ),
    "CertificateInvalid": Explanation(
        "The certificate of the site is not for all of its host names. Browsers warn their visitors.",
        ("kubectl get fs SITE -o yaml     # spec.domain, spec.aliases, spec.redirects",),
        "Put a certificate for all host names into the Secret, or remove the host names that it is not for. With an issuer, "
        "wait: cert-manager issues it anew.",
    ),
    "CertificateExpired": Explanation(
        "The certificate of the site has expired. Browsers refuse it.",
        ("kubectl describe certificate -n NAMESPACE NAME",),
        "Put a new certificate into the Secret. With an issuer, the description of the Certificate says why it was not renewed.",
    ),
    "AddressPending": Explanation(
        "`domainConfig.autoDetect` names the sites after the load balancer of a Service, and the load balancer has no address. Or the "
        "operator may not read the Service, because it runs with `--watch-namespace` for other namespaces.",
        ("kubectl get service -n NAMESPACE NAME",),
        "Wait until the cloud provider has created it, or correct `domainConfig.ingressControllerRef` of the bench. With `domain` "
        "or `domainConfig.suffix` no address is needed.",
    ),
    "RoutePending": Explanation(
        "No controller has accepted the HTTPRoute of the site yet.",
        ("kubectl get gateway -A", "kubectl get httproute SITE -o yaml     # status.parents"),
        "Check that the Gateway of `ingress.gatewayRef` exists and that the controller of its GatewayClass runs.",
    ),
    "RouteRefused": Explanation(
        "The Gateway does not accept the HTTPRoute of the site.",
        ("kubectl get httproute SITE -o yaml     # status.parents", "kubectl get gateway -n NAMESPACE NAME -o yaml"),
        "The message says what the Gateway lacks: a listener for the host names or for routes from this namespace, or a "
        "ReferenceGrant. Its owner adds it.",
    ),
    "SiteConfigInvalid": Explanation(
        "The site's site_config.json is not a JSON object. It contains the encryption key of the site, so it was not changed.",
        ("kubectl exec deployment/SITE-gunicorn --container=gunicorn -- cat sites/SITENAME/site_config.json",),
        "Repair the file on the site's volume. The output of the command contains passwords.",
    ),
    "ImageInvalid": Explanation(
        "The image of the bench is not an image of a Frappe bench: Frappe, its built assets or a MariaDB client is missing.",
        ("kubectl get fb BENCH -o yaml     # spec.imageConfig", "kubectl get jobs --selector=vyogo.tech/bench=BENCH"),
        "Use an image that is built like `frappe/erpnext`.",
    ),
    "VersionNotSupported": Explanation(
        "The version of Frappe is not supported, or the image is older than the data of a site. Sites keep running the image that "
        "they have.",
        ("kubectl get fb BENCH -o jsonpath='{.status.image}'",),
        "Use an image with the version that the message names, or restore a backup of the older version into a new site on "
        "another bench.",
    ),
    "Upgrading": Explanation(
        "A site is being upgraded to the image of its bench, or, on a bench, some of its sites are.",
        ("kubectl get fs", "kubectl get fs SITE -o jsonpath='{.status.upgrade}'"),
        "Wait. The message names what is waited for: a worker ends its job first, and a big database takes long to dump and to "
        "migrate.",
    ),
    "UpgradePending": Explanation(
        "A site runs an earlier image than its bench names, and is ready with it. It waits for its turn, for a window, or for its "
        "spec.release.",
        ("kubectl get fb BENCH -o jsonpath='{.status.upgrade}'", "kubectl get fb BENCH -o yaml     # spec.upgrade"),
        "Nothing, or change `upgrade` of the bench or `release` of the site.",
    ),
    "RemovingApps": Explanation(
        "Apps whose removal is confirmed are being removed from the site. From its second step on, visitors see the maintenance page.",
        ("kubectl get fs", "kubectl get fs SITE -o jsonpath='{.status.upgrade}'"),
        "Wait. The message names what is waited for.",
    ),
    "RemovalFailed": Explanation(
        "Apps could not be removed from the site. The dump of the database was put back, and the site is served as before.",
        (
            "kubectl get fs SITE -o jsonpath='{.status.apps}'",
            "kubectl logs job/SITE-upgrade-ATTEMPT     # status.upgrade.attempt",
        ),
        "Remove the cause that the message names: an app that another one requires is removed together with that one. Then give the "
        "annotation vyogo.tech/retry-upgrade of the FrappeSite a new value. To keep the apps, remove their names from the annotation "
        "vyogo.tech/confirm-uninstall.",
    ),
    "MigrationFailed": Explanation(
        "The migration of the site's data to the image of the bench failed. The data was put back, and the site is served by the "
        "image of before.",
        (
            "kubectl get fs SITE -o jsonpath='{.status.upgrade}'",
            "kubectl logs job/SITE-upgrade-ATTEMPT     # status.upgrade.attempt",
        ),
        "Remove the cause that the message names. Then give the annotation vyogo.tech/retry-upgrade of the FrappeSite a new value, "
        "or the bench an image in which it is fixed.",
    ),
    "UpgradesStopped": Explanation(
        "More sites failed to upgrade than `upgrade.maxFailures` of the bench allows, or a canary failed. No further site is begun; "
        "all of them are served.",
        ("kubectl get fb BENCH -o jsonpath='{.status.upgrade.failed}'", "kubectl get fs"),
        "See `MigrationFailed` of the failed sites. Another image, a repeated upgrade that succeeds, or a higher maxFailures lets the "
        "others go on.",
    ),
    "ReleaseUnknown": Explanation(
        "The data of the site is of an image that the bench knows nothing of any more, because its ConfigMap and its status were "
        "lost. Nothing of the site is changed.",
        ("kubectl get configmap BENCH-image -o yaml", "kubectl get pvc SITE-files --show-labels"),
        "Restore the ConfigMap from a backup, as the message says.",
    ),
    "VolumeInvalid": Explanation(
        "The site's volume contains a symbolic link where a directory must be.",
        (CLAIMS,),
        "Replace the link with a directory.",
    ),
    "StorageClassNotFound": Explanation(
        "A PersistentVolumeClaim names a StorageClass that does not exist, or names none and the cluster has no default.",
        (CLAIMS,),
        "Create the StorageClass, mark one as default, or delete the pending claim after naming another class in the spec.",
    ),
    "NotInstalled": Explanation(
        "The cluster does not have the CustomResourceDefinition of a kind that is needed.",
        ("kubectl get crds",),
        "Install what the message names. The operator notices it by itself.",
    ),
    "UpgradeFailed": Explanation(
        "The site could not be upgraded. Its database was restored, and is as it was before.",
        (JOBS, JOB_LOG),
        "Act on the cause in the message, then change the image, or delete the Job to have it tried again.",
    ),
    "StorageFailed": Explanation(
        "Reading or writing a file on a volume failed; the message is the system's. It is retried.",
        (JOBS, "kubectl describe pvc CLAIM"),
        "If no space is left, raise `storage.size`. Otherwise look at the volume and its storage system.",
    ),
    "Rejected": Explanation(
        "The API server or an admission webhook rejects a child object, or a volume cannot change as declared.",
        ("kubectl get events --field-selector=involvedObject.name=NAME", "kubectl get validatingwebhookconfigurations"),
        "Do what the message says. A volume cannot shrink, and its class and access mode cannot change: write the present value, "
        "or move the data to a new object by backup and restore.",
    ),
    "Forbidden": Explanation(
        "The operator, or a controller of the cluster, lacks a permission, or an admission policy denies a pod.",
        ("kubectl auth can-i --list --as=system:serviceaccount:frappe-operator:frappe-operator", OPERATOR_LOG),
        "Apply `deploy/rbac.yaml` of the version that runs. If the message names a policy, such as Pod Security, allow the pod.",
    ),
}
OPERATOR: dict[str, Explanation] = {
    "ReconcileError": Explanation(
        "The API server does not respond as expected, or the operator has an internal error. It is retried with backoff.",
        (OPERATOR_LOG,),
        "Wait if the API server is overloaded or restarts. If the message names an exception, report it with the log.",
    ),
    "RunnerError": Explanation(
        "The program that runs in a Job has an internal error. It is retried.",
        (JOBS, JOB_LOG),
        "Report it with the log of the Job.",
    ),
    "InvalidArguments": Explanation(
        "A Job was started with arguments that its program does not accept: operator and Job are of different versions.",
        (JOBS,),
        "Wait until all replicas of the operator run the same version. If it lasts, report it.",
    ),
}
GROUPS: dict[str, dict[str, Explanation]] = {
    "In progress: wait": IN_PROGRESS,
    "Somebody must act": USER,
    "Pods that do not run": PODS,
    "Databases and Redis": SERVERS,
    "Problems of the operator itself": OPERATOR,
    "As it should be": TRUE,
}
EXPLANATIONS = {reason: each for group in GROUPS.values() for reason, each in group.items()}

HOW_TO = """\
Every condition of a FrappeBench and a FrappeSite has a reason and a message. `Ready` repeats those of the first condition
that is false, in the order of the stages; act on that one first. `Stalled` is true if waiting does not help.

```
kubectl get fb,fs -o wide                    # reason and message of Ready
kubectl describe fs SITE                     # all conditions, and Events
kubectl get fs SITE -o yaml                  # the same for programs: status.conditions
```

Below, SITE and BENCH are the names of the objects, in the namespace of your kubectl context; other words in capitals are to
be replaced too. In messages, `<name>` stands for a value. A correction takes effect by itself: nothing has to be restarted."""


def page(notice: str) -> str:
    """The whole page. `notice`: where it comes from."""
    found: dict[str, list[str]] = {}
    for each in messages.collect().messages:
        found.setdefault(each.reason, []).append(each.text)
    sections = ["# Troubleshooting by reason", f"<!-- {notice} -->", HOW_TO, _contents()]
    for title, group in GROUPS.items():
        sections.append(f"## {title}")
        for reason, explanation in group.items():
            sections += _section(reason, explanation, found.get(reason, []))
    sections += [
        "## Messages with the reason of a Job or a pod",
        "These come with the reason that the Job or pod reports.",
        _list(found.get(messages.SEVERAL, [])),
    ]
    return "\n\n".join(sections) + "\n"


def _contents() -> str:
    rows = [
        f"| {title} | {' · '.join(f'[{reason}](#{reason.lower()})' for reason in group)} |"
        for title, group in GROUPS.items()
    ]
    return "\n".join(["| | reasons |", "| --- | --- |", *rows])


def _section(reason: str, explanation: Explanation, texts: list[str]) -> list[str]:
    check = ["**Check:**\n\n```\n" + "\n".join(explanation.check) + "\n```"] if explanation.check else []
    return [
        f"### {reason}",
        explanation.meaning,
        f"**Messages:**\n\n{_list(texts)}",
        *check,
        f"**What to do:** {explanation.action}",
    ]


def _list(texts: list[str]) -> str:
    return "\n".join(f"* {_code(text)}" for text in texts)


def _code(text: str) -> str:
    """A text in which everything stands for itself."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"
