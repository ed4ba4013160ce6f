module iter8.tools/tests/cluster/pause

go 1.24.0
