package cluster

import (
	"encoding/binary"
	"fmt"
	"net"
	"strings"
)

const clusterDomain = ".svc.cluster.local"

// serveDNS answers the names of Services, NAME.NAMESPACE.svc.cluster.local, with the addresses of their ready pods, as for a
// Service without an address of its own.
func serveDNS(n *Node, address string) error {
	socket, err := net.ListenPacket("udp", address+":53")
	if err != nil {
		return err
	}
	go func() {
		query := make([]byte, 512)
		for {
			length, from, err := socket.ReadFrom(query)
			if err != nil {
				return
			}
			if reply := n.answer(query[:length]); reply != nil {
				socket.WriteTo(reply, from)
			}
		}
	}()
	return nil
}

// answer makes the reply to one question (RFC 1035, section 4): nil for what is no question.
func (n *Node) answer(query []byte) []byte {
	const header, recursion, authoritative, noSuchName, typeA = 12, 0x0180, 0x8400, 3, 1
	name, end := questionName(query)
	if end == 0 {
		return nil
	}
	var addresses []net.IP
	service, known := strings.CutSuffix(strings.ToLower(name), clusterDomain)
	if known {
		addresses, known = n.endpoints(service)
	}
	if binary.BigEndian.Uint16(query[end:]) != typeA {
		addresses = nil // of the name there is nothing else
	}
	addresses = addresses[:min(len(addresses), 20)]

	reply := append([]byte{}, query[:end+4]...)
	flags := uint16(authoritative | recursion)
	if !known {
		flags |= noSuchName
	}
	binary.BigEndian.PutUint16(reply[2:], flags)
	binary.BigEndian.PutUint16(reply[4:], 1)
	binary.BigEndian.PutUint16(reply[6:], uint16(len(addresses)))
	binary.BigEndian.PutUint32(reply[8:], 0)
	for _, address := range addresses {
		// The name at offset 12, type A, class IN, one second, four bytes.
		reply = append(reply, 0xc0, header, 0, typeA, 0, 1, 0, 0, 0, 1, 0, 4)
		reply = append(reply, address.To4()...)
	}
	return reply
}

// questionName is the name that is asked for, and where its type begins: 0 when there is none.
func questionName(query []byte) (name string, end int) {
	const header = 12
	var labels []string
	for at := header; at < len(query); {
		length := int(query[at])
		at++
		if length == 0 {
			if at+4 > len(query) {
				return "", 0
			}
			return strings.Join(labels, "."), at
		}
		if at+length > len(query) {
			return "", 0
		}
		labels = append(labels, string(query[at:at+length]))
		at += length
	}
	return "", 0
}

// endpoints looks a Service up, by NAME.NAMESPACE.
func (n *Node) endpoints(service string) (addresses []net.IP, known bool) {
	name, namespace, _ := strings.Cut(service, ".")
	if n.get(fmt.Sprintf("/api/v1/namespaces/%s/services/%s", namespace, name), nil) != nil {
		return nil, false
	}
	if name == "kubernetes" && namespace == "default" {
		return []net.IP{net.ParseIP(serviceAddress)}, true
	}
	var slices struct {
		Items []struct {
			Endpoints []struct {
				Addresses  []string
				Conditions struct{ Ready *bool }
			}
		}
	}
	path := fmt.Sprintf("/apis/discovery.k8s.io/v1/namespaces/%s/endpointslices?labelSelector=kubernetes.io/service-name%%3D%s", namespace, name)
	if n.get(path, &slices) != nil {
		return nil, true
	}
	for _, slice := range slices.Items {
		for _, endpoint := range slice.Endpoints {
			if ready := endpoint.Conditions.Ready; ready != nil && !*ready {
				continue
			}
			for _, address := range endpoint.Addresses {
				addresses = append(addresses, net.ParseIP(address))
			}
		}
	}
	return addresses, true
}
