// An echo in Go, a goroutine for each connection: what the service is measured against. Usage: echo PORT
package main

import (
	"log"
	"net"
	"os"
)

const readSize = 1 << 16

func serve(connection net.Conn) {
	defer connection.Close()
	buffer := make([]byte, readSize)
	for {
		count, err := connection.Read(buffer)
		if count > 0 {
			if _, failed := connection.Write(buffer[:count]); failed != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go serve(connection)
	}
}
